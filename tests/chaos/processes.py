"""The stages and MLflow as processes that a test kills."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

from tests.patience import PATIENCE_SECONDS

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Ended:
    """How a process ended."""

    exit_code: int
    seconds: float
    output: str

    @property
    def last(self) -> dict[str, object]:
        """Return the last line of JSON that it wrote."""
        return next(json.loads(line) for line in reversed(self.output.splitlines()) if line.startswith("{"))


class Stage:
    """One start of a stage; its output goes into a file."""

    def __init__(self, name: str, environment: Mapping[str, str], folder: Path, *arguments: str,
                 prepare: Callable[[], None] | None = None) -> None:
        """Start it in a folder that is no place to import from; `prepare` runs in the new process before."""
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / f"{name}-{time.monotonic_ns()}.log"
        self._began = time.monotonic()
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", name, *arguments], cwd=folder, stdout=output, stderr=subprocess.STDOUT,
                preexec_fn=prepare,
                env={"PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder), "PYTHONPATH": str(ROOT),
                     **environment})

    def wait(self) -> Ended:
        """Wait for its end."""
        try:
            code = self.process.wait(PATIENCE_SECONDS)
        finally:
            self.kill()
        return Ended(code, time.monotonic() - self._began, self.log.read_text(errors="replace"))

    def wait_for(self, event: str) -> None:
        """Wait until it has written an event, or has ended."""
        wait_until(lambda: f'"event":"{event}"' in self.log.read_text(errors="replace").replace('": "', '":"')
                   or self.process.poll() is not None)

    def kill(self) -> None:
        """Kill -9, if it still runs."""
        self.process.kill()
        self.process.wait()


def kill_after(stage: Stage, seconds: float) -> bool:
    """Kill a stage after so many seconds; return False where it had ended before."""
    try:
        stage.process.wait(seconds)
    except subprocess.TimeoutExpired:
        stage.kill()
        return True
    return False


def wait_until(is_so: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> float:
    """Wait until something holds; return the seconds that it took."""
    began = time.monotonic()
    while not is_so():
        assert time.monotonic() - began < seconds, f"did not come about in {seconds:g} s"
        time.sleep(0.05)
    return time.monotonic() - began


class MlflowServer:
    """A tracking server on one port and one folder, however often it is killed."""

    def __init__(self, folder: Path) -> None:
        """Start it, which takes some seconds."""
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.port = listener.getsockname()[1]
        self.folder = folder
        self.start()

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port),
                   "--backend-store-uri", f"sqlite:///{self.folder}/mlflow.db",
                   "--artifacts-destination", str(self.folder / "artifacts"), "--workers", "1"]
        with (self.folder / "server.log").open("ab") as output:
            # Its runner of background jobs is not needed, and takes seconds.
            self._process = subprocess.Popen(command, cwd=self.folder, stdout=output, stderr=output,
                                             start_new_session=True,
                                             env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"})
        try:
            wait_until(self._answers)
        except BaseException:
            self.kill()  # nobody else would: the fixture has not got it yet
            raise

    def kill(self) -> None:
        """Kill -9 it and its workers."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _answers(self) -> bool:
        assert self._process.poll() is None, (self.folder / "server.log").read_text()[-2000:]
        try:
            with urlopen(f"http://127.0.0.1:{self.port}/health", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False
