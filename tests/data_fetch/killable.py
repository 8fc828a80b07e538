"""Processes that a test kills: an embedded MongoDB server that comes back with its data, and data_fetch."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

from pymongo import MongoClient

from tests.conftest import START
from tests.patience import PATIENCE_SECONDS

ROOT = Path(__file__).parents[2]


class KillableMongo:
    """An embedded server on one port and one folder, however often it is killed."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port = listener.getsockname()[1]
        self.uri = f"mongodb://127.0.0.1:{port}"
        self._command = [sys.executable, "-P", "-c", START, "--data-dir", str(folder), "--log-file",
                         str(folder / "server.log"), "--pid-file", str(folder / "server.pid"), "-p", str(port)]
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            with MongoClient(self.uri, serverSelectionTimeoutMS=int(PATIENCE_SECONDS * 1000)) as client:
                client.admin.command("ping")
        except BaseException:
            self.kill()  # nobody else would: the fixture has not got it yet
            raise

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


class Fetch:
    """Starts data_fetch on some repositories; its output goes to a file."""

    def __init__(self, mongo: KillableMongo, database: str, address: str, token: str, repositories: list[str],
                 folder: Path) -> None:
        self.output = folder / "data_fetch.jsonl"
        self._arguments = [word for name in repositories for word in ("--repository", name)]
        self._environment = {
            "PATH": os.environ["PATH"], "MONGODB_URI": mongo.uri, "SENTINEL_MONGODB_DATABASE": database,
            "SENTINEL_MONGODB_BUDGET_SECONDS": "8", "GITHUB_TOKEN": token, "SENTINEL_GITHUB_API_URL": address,
            "SENTINEL_GITHUB_BUDGET_SECONDS": "60",
        }

    def start(self) -> subprocess.Popen[bytes]:
        with self.output.open("ab") as output:
            return subprocess.Popen([sys.executable, "-m", "data_fetch", *self._arguments], cwd=ROOT,
                                    env=self._environment, stdout=output, stderr=output)

    def run_until_done(self) -> int:
        """Run until the exit code is 0; return how many runs that took."""
        for n_runs in range(1, 6):
            process = self.start()
            if process.wait(PATIENCE_SECONDS) == 0:
                return n_runs
            assert process.returncode == 75, self.output.read_text()[-3000:]
        raise AssertionError(self.output.read_text()[-3000:])


def wait_until(condition, process: subprocess.Popen[bytes]) -> None:
    """Wait until a condition holds or the process has ended."""
    patience = time.monotonic() + PATIENCE_SECONDS
    while not condition() and process.poll() is None:
        assert time.monotonic() < patience, "waited in vain"
        time.sleep(0.002)
