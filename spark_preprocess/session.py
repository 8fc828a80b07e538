"""The Spark session: its configuration, the work that it does, and how its errors leave."""

import logging
import subprocess
import sys
from collections.abc import Callable, Mapping, MutableMapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path
from typing import TypeVar

from py4j.protocol import Py4JError
from pyspark import SparkConf, SparkContext
from pyspark.errors import PySparkException
from pyspark.java_gateway import launch_gateway
from pyspark.sql import SparkSession

from sentinel.errors import FixNeededError, SentinelError, UnavailableError
from sentinel.logs import get_logger
from spark_preprocess.gateway import end_java, java_process
from spark_preprocess.task_errors import first_line, to_our_error
from spark_preprocess.settings import SparkPreprocessSettings

WAIT_SECONDS = 0.2
Result = TypeVar("Result")


def run_on_spark(settings: SparkPreprocessSettings, environment: MutableMapping[str, str],
                 work: Callable[[SparkSession], Result]) -> Result:
    """Start Spark, return what `work` makes of it, and leave no process behind, however this ends.

    `work` runs beside the main thread, which only waits: a signal raised inside py4j would be swallowed there.
    `environment` is that of this process, because pyspark reads it; it is left as it was.
    """
    for name in ("", "py4j.java_gateway", "py4j.clientserver"):
        logging.getLogger(name).addFilter(_is_not_of_py4j)
    with java_process(spark_properties(settings), environment) as (process, port, secret), \
            ThreadPoolExecutor(1, "spark") as thread:
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
                end_java(process)


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


def _is_not_of_py4j(record: logging.LogRecord) -> bool:
    """Tell whether to log a record; py4j logs, with a traceback and in part as root, what it also raises."""
    return Path(record.pathname).parent.name != "py4j"


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
