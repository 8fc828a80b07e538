"""The stage on clusters of this machine: executors in processes of their own; `pytest -m long_spark` runs these."""

import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyspark
import pytest

from spark_preprocess.gateway import OPENED_PACKAGES, SCALA_VERSION
from spark_preprocess.java import find_java
from tests.patience import PATIENCE_SECONDS
from tests.spark_preprocess.conftest import SIZES, run_stage, stage_environment, still_running

pytestmark = pytest.mark.long_spark
SPARK_HOME = Path(pyspark.__path__[0])
DAEMONS = "org.apache.spark.deploy"


@pytest.fixture(scope="module")
def standalone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a master and a worker of two cores, as a standalone cluster has them; yields the master's address."""
    folder = tmp_path_factory.mktemp("standalone")
    with java_daemon(folder / "master", f"{DAEMONS}.master.Master", "--port", "0") as master:
        address = seen_in(folder / "master", r"Starting Spark master at (spark://\S+)", master)
        with java_daemon(folder / "worker", f"{DAEMONS}.worker.Worker", "--cores", "2", "--memory", "2g",
                         "--work-dir", str(folder / "work"), address) as worker:
            seen_in(folder / "worker", r"(Successfully registered) with master", worker)
            yield address


@pytest.fixture(params=["local-cluster[2,1,1024]", "standalone"])
def master(request) -> str:
    """Return the address of each kind of cluster."""
    return request.getfixturevalue("standalone") if request.param == "standalone" else request.param


def test_executors_write_what_one_machine_would_and_leave_nothing_behind(master, records, store_records, tmp_path):
    (tmp_path / "temporary").mkdir()
    environment = stage_environment(store_records(records), tmp_path / "store", SPARK_MASTER=master,
                                    TMPDIR=str(tmp_path / "temporary"))

    run = run_stage(environment, tmp_path / "store")

    assert (0, "published") == (run.exit_code, run.events[-1].get("outcome")), run.stderr
    assert SIZES == run.provenance.repositories
    assert not (SPARK_HOME / "work").exists()
    assert (set(), []) == (still_running(run.processes), os.listdir(tmp_path / "temporary"))


@contextmanager
def java_daemon(log: Path, name: str, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run one of Spark's daemons on loopback; its output goes to `log`."""
    opened = [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in OPENED_PACKAGES]
    environment = {**os.environ, "SPARK_HOME": str(SPARK_HOME), "SPARK_SCALA_VERSION": SCALA_VERSION,
                   "SPARK_LOCAL_IP": "127.0.0.1"}
    command = [str(find_java(os.environ)), *opened, "-Dspark.master.rest.enabled=false",
               "-cp", str(SPARK_HOME / "jars" / "*"), name,
               "--host", "127.0.0.1", "--webui-port", "0", *options]
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)


def seen_in(log: Path, pattern: str, process: subprocess.Popen[bytes]) -> str:
    """Wait for a line of a log."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        found = re.search(pattern, log.read_text(errors="replace"))
        if found:
            return found.group(1)
        time.sleep(0.1)
    pytest.fail(f"not seen: {pattern}\n{log.read_text(errors='replace')[-2000:]}")
