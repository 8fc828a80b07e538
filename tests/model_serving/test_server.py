"""The scorer as real processes: gunicorn, its workers, and what signals do to them."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.request import urlopen

import pytest

from model_serving.champion_copy import LAST_ATTEMPT, MODEL, Attempt, ChampionFolder
from model_serving.refresh import COPY_OPTION
from model_serving.settings import ServingSettings
from sentinel.settings import environment_of
from tests.model_serving.made_up_harbour import pull_request_json
from tests.model_serving.made_up_model import copy_model
from tests.model_serving.running_scorer import PATIENCE_SECONDS, RunningScorer

N_AT_ONCE = 200
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture
def running(settings: ServingSettings, tmp_path: Path) -> Iterator[RunningScorer]:
    """Return a scorer whose MLflow does not answer: the last good copy serves."""
    own = shutil.copytree(settings.champion_folder, tmp_path / "champion",
                          ignore=shutil.ignore_patterns(LAST_ATTEMPT))  # other scorers asked MLflow before
    unreachable = settings.model_copy(update={"mlflow_tracking_uri": "http://127.0.0.1:9", "champion_folder": own})
    scorer = RunningScorer(unreachable, tmp_path)
    yield scorer
    scorer.kill()


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
    port = int(running.address.rpartition(":")[2])
    slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(64)]
    for one in slow:
        one.sendall(b"POST /score HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                    b"Content-Length: 900\r\n\r\n{")
    before = running.workers()
    os.kill(min(before), signal.SIGKILL)

    statuses = [running.ask("/score", pull_request_json())[0] for _ in range(20)]
    running.wait_for_new_worker(before)

    assert [200] * 20 == statuses
    for one in slow:
        one.close()
    assert 130 == running.stop(signal.SIGINT)
    assert [] == running.left_behind()


def test_client_with_many_requests_at_once_waits_its_turn(settings: ServingSettings, tmp_path: Path) -> None:
    scorer = RunningScorer(settings.model_copy(update={"workers": 1}), tmp_path)
    try:
        port = int(scorer.address.rpartition(":")[2])
        many, one = (socket.create_connection(("127.0.0.1", port)) for _ in range(2))
        with many, one:
            one.sendall(HEALTH)
            _read_answer(one)  # it is accepted
            many.sendall(HEALTH * N_AT_ONCE)
            many.recv(1)  # the first answer begins
            one.sendall(HEALTH)
            _read_answer(one)
            answered = _received(many).count(b"HTTP/1.1 200")
        assert answered < N_AT_ONCE / 2
    finally:
        scorer.kill()


def test_workers_are_replaced_though_the_copy_that_the_master_loaded_is_gone(
        running: RunningScorer, settings: ServingSettings, tmp_path: Path) -> None:
    folder = ChampionFolder(tmp_path / "champion")
    assert 200 == running.ask("/readyz")[0]
    first, before = folder.current_name(), running.workers()
    content = (folder.folder / first / MODEL).read_bytes()
    for number in "2", "3", "4":
        copy_model(settings.model_copy(update={"champion_folder": folder.folder}), content, registry_version=number)
    assert not (folder.folder / first).exists()
    for worker in before:
        os.kill(worker, signal.SIGKILL)

    answers = [running.ask("/model") for _ in range(10)]

    assert [(200, "4")] * 10 == [(status, model.get("registry_version")) for status, model in answers]
    assert not running.workers() & before


def test_metrics_of_all_workers_tell_how_old_the_model_is_and_when_mlflow_last_answered(
        settings: ServingSettings, tmp_path: Path) -> None:
    folder = ChampionFolder(Path(shutil.copytree(settings.champion_folder, tmp_path / "champion")))
    now = datetime.now(UTC).replace(microsecond=0)
    folder.save_attempt(Attempt((now - timedelta(minutes=1)).isoformat(), True, "copied"))
    folder.save_attempt(Attempt(now.isoformat(), False, "MLflow is down"))
    scorer = RunningScorer(settings.model_copy(update={
        "mlflow_tracking_uri": "http://127.0.0.1:9", "champion_folder": folder.folder}), tmp_path)
    try:
        with urlopen(scorer.address + "/metrics", timeout=30) as answer:
            shown = dict(line.rsplit(" ", 1) for line in answer.read().decode().splitlines())
    finally:
        scorer.kill()

    assert datetime(2026, 7, 1, 0, 0, 1, tzinfo=UTC).timestamp() == float(
        shown["sentinel_serving_model_trained_timestamp_seconds"])
    assert now.timestamp() - 60 == float(shown["sentinel_serving_last_good_look_timestamp_seconds"])


def test_a_request_leaves_one_line_in_the_form_of_all_others(running: RunningScorer) -> None:
    running.ask("/score", pull_request_json())

    line, other = running.wait_for("model_serving.request"), running.wait_for("model_serving.ready")

    assert ("/score", "POST", 200, "model_serving", "info") == (
        line["route"], line["method"], line["status"], line["stage"], line["level"])
    assert 32 == len(str(line["request_id"])) and line["milliseconds"] > 0
    assert str(line["timestamp"])[-1] == str(other["timestamp"])[-1] == "Z"


def test_a_body_that_comes_too_slowly_is_refused(settings: ServingSettings, tmp_path: Path) -> None:
    scorer = RunningScorer(settings.model_copy(update={"body_seconds": 0.3}), tmp_path)
    try:
        with socket.create_connection(("127.0.0.1", int(scorer.address.rpartition(":")[2])), timeout=30) as slow:
            slow.sendall(b"POST /score HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                         b"Content-Length: 900\r\n\r\n{")
            answer = slow.recv(4_096)
    finally:
        scorer.kill()

    assert answer.startswith(b"HTTP/1.1 408 ")


def test_a_port_in_use_is_told_before_anything_is_loaded(settings: ServingSettings, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        scorer = RunningScorer(settings.model_copy(update={"port": port}), tmp_path)

        assert 2 == scorer.process.wait(PATIENCE_SECONDS)
        assert str(port) in scorer.log.read_text() and "--port" in scorer.log.read_text()
        assert "champion" not in scorer.log.read_text()


def test_a_copying_process_whose_scorer_has_ended_already_ends_too(settings: ServingSettings) -> None:
    another = str(os.getpid() + 1)

    copying = subprocess.run([sys.executable, "-m", "model_serving", COPY_OPTION, another], timeout=PATIENCE_SECONDS,
                             env={**os.environ, **environment_of(settings)})

    assert -signal.SIGKILL == copying.returncode


def _read_answer(connection: socket.socket) -> None:
    """Read a whole answer to HEALTH, which comes in more than one piece."""
    content = b""
    while not content.endswith(b"}"):
        content += connection.recv(4096)


def _received(connection: socket.socket) -> bytes:
    """Return what has come so far."""
    try:
        return connection.recv(10_000_000, socket.MSG_DONTWAIT)
    except BlockingIOError:
        return b""
