"""`python -m model_serving` as a real process, for tests of what only processes show."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import orjson
import pytest

from model_serving.settings import ServingSettings
from sentinel.settings import environment_of
from tests.patience import PATIENCE_SECONDS


class RunningScorer:
    """`python -m model_serving` in a process group of its own."""

    def __init__(self, settings: ServingSettings, folder: Path) -> None:
        """Start it; its log goes into a file."""
        self.log = folder / "scorer.log"
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "model_serving"], env={**os.environ, **environment_of(settings)},
                stdout=output, stderr=subprocess.STDOUT, start_new_session=True)

    @property
    def address(self) -> str:
        """Return http://HOST:PORT as soon as it is ready."""
        return str(self.wait_for("model_serving.ready")["address"])

    def wait_for(self, event: str) -> dict[str, object]:
        """Return the first log line of `event`."""
        patience = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < patience:
            for line in self.log.read_bytes().splitlines():
                if f'"event":"{event}"'.encode() in line:
                    return orjson.loads(line)
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        pytest.fail(f"no {event}: {self.log.read_text()[-2000:]}")

    def ask(self, path: str, payload: object = None) -> tuple[int, dict[str, object]]:
        """Return status and JSON of an answer."""
        body = None if payload is None else orjson.dumps(payload)
        request = Request(self.address + path, body, {"Content-Type": "application/json"})
        try:
            with urlopen(request, timeout=30) as answer:
                return answer.status, orjson.loads(answer.read())
        except HTTPError as error:
            return error.code, orjson.loads(error.read())

    def stop(self, number: int) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_SECONDS)

    def kill(self) -> None:
        """End it and all its children, if it still runs."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def workers(self) -> set[int]:
        """Return the process ids of its children."""
        pid = self.process.pid
        return set(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))

    def wait_for_new_worker(self, before: set[int]) -> None:
        """Wait for a worker that was not there `before`."""
        patience = time.monotonic() + PATIENCE_SECONDS
        while not self.workers() - before:
            assert self.process.poll() is None and time.monotonic() < patience, self.log.read_text()[-2000:]
            time.sleep(0.05)

    def left_behind(self) -> list[str]:
        """Return the processes of the group that do not end; one that just began to copy looks first for its parent."""
        patience = time.monotonic() + PATIENCE_SECONDS
        while (found := self._of_its_group()) and time.monotonic() < patience:
            time.sleep(0.05)
        return found

    def _of_its_group(self) -> list[str]:
        return [stat for path in Path("/proc").glob("[0-9]*/stat") if (stat := _read(path))
                and stat.rpartition(")")[2].split()[2] == str(self.process.pid)
                and stat.rpartition(")")[2].split()[0] != "Z"]


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
