"""The scorer as real processes: gunicorn, its workers, and the copying from a real MLflow."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import orjson
import pytest

from model_serving.settings import ServingSettings
from sentinel.settings import environment_of
from tests.model_serving.made_up_harbour import pull_request_json

PATIENCE_SECONDS = 60.0


class RunningScorer:
    """`python -m model_serving` in a process group of its own."""

    def __init__(self, settings: ServingSettings, folder: Path) -> None:
        """Start it; its log goes into a file."""
        self.log = folder / "scorer.log"
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "model_serving"], env={**os.environ, **environment_of(settings)},
                stdout=output, stderr=subprocess.STDOUT, start_new_session=True)

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
        address = str(self.wait_for("model_serving.ready")["address"])
        body = None if payload is None else orjson.dumps(payload)
        request = Request(address + path, body, {"Content-Type": "application/json"})
        try:
            with urlopen(request, timeout=30) as answer:
                return answer.status, orjson.loads(answer.read())
        except HTTPError as error:
            return error.code, orjson.loads(error.read())

    def stop(self, number: int) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_SECONDS)

    def left_behind(self) -> list[str]:
        """Return the processes of the group that still run."""
        return [stat for path in Path("/proc").glob("[0-9]*/stat") if (stat := _read(path))
                and stat.rpartition(")")[2].split()[2] == str(self.process.pid)
                and stat.rpartition(")")[2].split()[0] != "Z"]


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


@pytest.fixture
def running(settings: ServingSettings, tmp_path: Path) -> Iterator[RunningScorer]:
    """Return a scorer whose MLflow does not answer: the last good copy serves."""
    unreachable = settings.model_copy(update={"mlflow_tracking_uri": "http://127.0.0.1:9"})
    scorer = RunningScorer(unreachable, tmp_path)
    yield scorer
    if scorer.process.poll() is None:
        os.killpg(scorer.process.pid, signal.SIGKILL)
        scorer.process.wait()


def test_it_serves_the_last_good_copy_and_ends_with_sigterm_leaving_no_child(running: RunningScorer) -> None:
    status, verdict = running.ask("/score", pull_request_json())
    before = running.ask("/model")[1]
    running.wait_for("model_serving.refresh_failed")
    after = running.ask("/model")[1]

    assert 200 == status and verdict["score"] > 0
    assert before["is_last_good_copy"] and before["last_look_at"] is None
    assert after["is_last_good_copy"] and "MLflow" in after["last_look_failed"]
    assert 0 == running.stop(signal.SIGTERM)
    assert [] == running.left_behind()


def test_slow_clients_do_not_stop_others_and_a_killed_worker_is_replaced(running: RunningScorer) -> None:
    port = int(str(running.wait_for("model_serving.ready")["address"]).rpartition(":")[2])
    slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(64)]
    for one in slow:
        one.sendall(b"POST /score HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                    b"Content-Length: 900\r\n\r\n{")
    children = Path(f"/proc/{running.process.pid}/task/{running.process.pid}/children").read_text().split()
    os.kill(int(children[0]), signal.SIGKILL)

    statuses = [running.ask("/score", pull_request_json())[0] for _ in range(20)]

    assert [200] * 20 == statuses
    for one in slow:
        one.close()
    assert 130 == running.stop(signal.SIGINT)
    assert [] == running.left_behind()


def test_a_port_in_use_is_told_before_anything_is_loaded(settings: ServingSettings, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        scorer = RunningScorer(settings.model_copy(update={"port": port}), tmp_path)

        assert 2 == scorer.process.wait(PATIENCE_SECONDS)
        assert str(port) in scorer.log.read_text() and "--port" in scorer.log.read_text()
        assert "champion" not in scorer.log.read_text()
