"""What the tests of several folders need: a server that speaks MongoDB's protocol, and tests that wait to be asked."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import structlog

from tests.patience import PATIENCE_SECONDS

# As the runner starts it: the server logs every command at the level info.
START = "import logging, sys; logging.disable(logging.INFO); from nx_27017 import main; sys.exit(main())"
STOP_SECONDS = 10.0
RUN_ONLY_BY_NAME = {  # markers of what takes minutes, or needs more than a checkout
    "chaos": "kills and cuts real processes; `make chaos`",
    "cluster": "needs a trial cluster; `make cluster-test`",
    "long_spark": "further runs of Spark, and clusters; `make test-spark`",
    "long_workflows": "the workflows run step by step; `make test-workflows`",
    "parity": "needs a file of real pull requests; `make test-parity DATA=FILE.jsonl.gz`",
}


def pytest_configure(config: pytest.Config) -> None:
    """Make the markers known."""
    for marker, meaning in RUN_ONLY_BY_NAME.items():
        config.addinivalue_line("markers", f"{marker}: {meaning}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what `-m` does not name."""
    asleep = [marker for marker in RUN_ONLY_BY_NAME if marker not in config.option.markexpr]
    left_out = [item for item in items if any(item.get_closest_marker(marker) for marker in asleep)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture(autouse=True)
def logs_as_they_were() -> Iterator[None]:
    """Let no test inherit how another one set up the logs of this process."""
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture(scope="session")
def mongodb_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of an embedded server that lives as long as the session; a database is a file of its own."""
    folder = tmp_path_factory.mktemp("mongodb")
    port = _free_port()
    process = _start_server(folder, port)
    try:
        _wait_until_it_listens(process, port, folder)
        yield f"mongodb://127.0.0.1:{port}"
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture
def free_port() -> int:
    """Return a port of this machine that nothing listens on."""
    return _free_port()


@pytest.fixture
def mongodb_database() -> str:
    """Return a database name that no other test uses."""
    return f"test_{uuid4().hex}"


def _start_server(folder: Path, port: int) -> subprocess.Popen[bytes]:
    options = ["--data-dir", str(folder / "databases"), "--log-file", str(folder / "server.log"),
               "--pid-file", str(folder / "server.pid"), "-p", str(port)]
    with (folder / "output.txt").open("wb") as output:
        return subprocess.Popen([sys.executable, "-P", "-c", START, *options], cwd=folder, stdout=output, stderr=output)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def _wait_until_it_listens(process: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    patience = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < patience and process.poll() is None:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    pytest.fail(f"the embedded server does not start: {(folder / 'output.txt').read_text(errors='replace')[-500:]}")
