"""A stage ends with the exit code that says what to do next, and one closing line."""

import os
import signal
import subprocess
import sys
import time

import orjson
import pytest
from structlog.testing import capture_logs

from sentinel.logs import Progress
from tests.patience import PATIENCE_SECONDS
from tests.sources.conftest import FakeClock

PROGRAM = """
import sys
from sentinel.errors import DataUnusableError, SettingsError, UnavailableError
from sentinel.logs import get_logger
from sentinel.stage import exit_with, run_stage

def job():
    {body}

exit_with(run_stage("data_fetch", job))
"""


def start(body: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", PROGRAM.format(body=body)], stdout=subprocess.PIPE)


def run(body: str) -> tuple[int, list[dict]]:
    process = start(body)
    output, _ = process.communicate(timeout=PATIENCE_SECONDS)
    return process.returncode, [orjson.loads(line) for line in output.splitlines()]


@pytest.mark.parametrize(("body", "code", "event"), [
    ("return {'new': 3}", 0, "data_fetch.finished"),
    ("raise ZeroDivisionError('odd')", 1, "data_fetch.crashed"),
    ("raise SettingsError('MONGODB_URI is not set')", 2, "data_fetch.failed"),
    ("raise DataUnusableError('half of it')", 65, "data_fetch.failed"),
    ("raise UnavailableError('gone')", 75, "data_fetch.failed"),
    ("raise KeyboardInterrupt", 130, "data_fetch.interrupted"),
])
def test_the_exit_code_and_the_closing_line_follow_the_error(body, code, event):
    seen_code, lines = run(body)

    assert code == seen_code
    assert event == lines[-1]["event"]
    assert "data_fetch" == lines[-1]["stage"]


def test_the_closing_line_carries_the_facts_and_the_seconds():
    began = time.monotonic()
    _, lines = run("return {'new': 3}")

    assert 3 == lines[-1]["new"]
    assert 0 <= lines[-1]["seconds"] <= time.monotonic() - began


def test_sigterm_ends_a_stage_with_try_again():
    process = start("import time; print('{}', flush=True); time.sleep(60)")
    process.stdout.readline()
    os.kill(process.pid, signal.SIGTERM)
    output, _ = process.communicate(timeout=PATIENCE_SECONDS)

    assert 75 == process.returncode
    assert b"SIGTERM" in output


def test_a_message_with_quotes_and_newlines_stays_one_line_of_json():
    _, lines = run("get_logger().info('odd', text='a \"quote\"\\nand more \\u2028'); return {}")

    assert 'a "quote"\nand more \u2028' == lines[0]["text"]


def test_progress_is_told_at_most_five_times_a_second(monkeypatch):
    clock = FakeClock()
    monkeypatch.setattr("sentinel.logs.time", clock)
    progress = Progress("data_fetch", "pull requests", 1_000)
    with capture_logs() as told:
        for _ in range(1_000):
            clock.sleep(0.01)
            progress.advance()

    assert 45 <= len(told) <= 50  # of ten seconds
    assert {"event": "data_fetch.progress", "total": 1_000, "unit": "pull requests"}.items() <= told[0].items()
    assert (20, 100.0, 9.8) == pytest.approx([told[0][name] for name in ("done", "rate", "seconds_left")], rel=0.1)
