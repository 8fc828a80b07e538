"""A stage ends with the exit code that says what to do next, and one closing line."""

import os
import signal
import subprocess
import sys
import time

import orjson
import pytest

PROGRAM = """
import sys
from sentinel.errors import DataUnusableError, SettingsError, UnavailableError
from sentinel.logs import Progress, get_logger
from sentinel.stage import exit_with, run_stage

def job():
    {body}

exit_with(run_stage("data_fetch", job))
"""


def start(body: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", PROGRAM.format(body=body)], stdout=subprocess.PIPE)


def run(body: str) -> tuple[int, list[dict]]:
    process = start(body)
    output, _ = process.communicate(timeout=60)
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
    _, lines = run("return {'new': 3}")

    assert 3 == lines[-1]["new"]
    assert 0 <= lines[-1]["seconds"] < 60


def test_sigterm_ends_a_stage_with_try_again():
    process = start("import time; print('{}', flush=True); time.sleep(60)")
    process.stdout.readline()
    time.sleep(0.1)
    os.kill(process.pid, signal.SIGTERM)
    output, _ = process.communicate(timeout=20)

    assert 75 == process.returncode
    assert b"SIGTERM" in output


def test_a_message_with_quotes_and_newlines_stays_one_line_of_json():
    _, lines = run("get_logger().info('odd', text='a \"quote\"\\nand more \\u2028'); return {}")

    assert 'a "quote"\nand more \u2028' == lines[0]["text"]


def test_progress_is_told_at_most_five_times_a_second():
    _, lines = run("progress = Progress('data_fetch', 'pull requests', 10_000)\n"
                   "    [progress.advance() for _ in range(10_000)]\n    return {}")

    told = [line for line in lines if line["event"] == "data_fetch.progress"]
    assert 1 <= len(told) <= 5
    assert {"done", "total", "unit", "rate", "seconds_left"} <= told[0].keys()
