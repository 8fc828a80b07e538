"""Stages run in order; a failure ends the run in the stage's own words and with its exit code."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sentinel.command.pipeline import StageFailedError, run_stages
from sentinel.command.stage_status import State
from tests.command.processes import lives, wait_until
from tests.patience import PATIENCE_SECONDS

ROOT = Path(__file__).parents[2]
RUNNER = """
import os, sys
from pathlib import Path
from sentinel.command.child import Program
from sentinel.command.data_folder import DataFolder
from sentinel.command.interruption import raise_on_signals
from sentinel.command.pipeline import run_stages
raise_on_signals()
class Quiet:
    def show(self, statuses): pass
program = Program("data_fetch", (sys.executable, "-c", sys.argv[1]), dict(os.environ))
try:
    run_stages([program], DataFolder(Path(sys.argv[2])), Quiet())
except KeyboardInterrupt as error:
    print(type(error).__name__)
    sys.exit(130)
"""
ENDLESS = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"


class Recorder:
    """A display that keeps what it is shown."""

    def __init__(self):
        """Begin with nothing."""
        self.shown = []

    def show(self, statuses):
        """Keep the statuses."""
        self.shown.append(tuple(statuses))


def event(name, **fields):
    """Return code that prints one log line."""
    return f"print({json.dumps({'event': name, **fields})!r}, flush=True)\n"


def test_stages_run_in_order_and_their_progress_is_shown(program, data):
    recorder = Recorder()
    fetch = program(event("data_fetch.progress", done=3, total=9, unit="pull requests")
                    + event("data_fetch.finished", new=9, seconds=0.1))
    train = program(event("ml_training.finished", version="4"), "ml_training")

    statuses = run_stages([fetch, train], data, recorder)

    assert [State.DONE, State.DONE] == [status.state for status in statuses]
    assert [{"new": 9}, {"version": "4"}] == [status.facts for status in statuses]
    assert (3, 9, "pull requests") in [(first.done, first.total, first.unit) for first, _ in recorder.shown]


def test_failure_is_told_in_the_stages_words_with_its_exit_code(program, data):
    failing = program(event("data_fetch.failed", text="prs.jsonl: no such file", exit_code=2) + "raise SystemExit(2)")
    never = program("raise SystemExit(9)", "ml_training")

    with pytest.raises(StageFailedError, match="fetch failed with exit code 2:\nprs.jsonl: no such file") as caught:
        run_stages([failing, never], data, Recorder())

    assert 2 == caught.value.exit_code
    assert str(data.folder / "logs" / "data_fetch.jsonl") in str(caught.value)


def test_killed_stage_asks_to_run_again(program, data):
    with pytest.raises(StageFailedError, match=r"killed from outside \(signal 9, SIGKILL") as caught:
        run_stages([program("import os; os.kill(os.getpid(), 9)")], data, Recorder())

    assert 75 == caught.value.exit_code
    assert "run the same command again" in str(caught.value)


def test_crash_without_a_log_line_shows_the_last_words(program, data):
    with pytest.raises(StageFailedError, match="ZeroDivisionError: division by zero") as caught:
        run_stages([program("1 / 0")], data, Recorder())

    assert 1 == caught.value.exit_code


@pytest.mark.parametrize("number, name", [(signal.SIGINT, "KeyboardInterrupt"), (signal.SIGTERM, "Terminated")])
def test_stopping_the_runner_leaves_no_stage_behind(data, number, name):
    runner = subprocess.Popen([sys.executable, "-c", RUNNER, ENDLESS, str(data.path)], cwd=ROOT,
                              stdout=subprocess.PIPE, text=True)
    log = data.logs / "data_fetch.jsonl"
    wait_until(lambda: log.exists() and log.read_text().endswith("\n"))
    stage = int(log.read_text())

    runner.send_signal(number)
    output, _ = runner.communicate(timeout=PATIENCE_SECONDS)

    assert (130, name) == (runner.returncode, output.strip())
    assert not lives(stage)


def test_odd_lines_in_the_log_are_survived(program, data):
    odd = program("import os\nos.write(1, b'no json\\n[1]\\n{\"event\": 3}\\n\\xff\\n')")

    statuses = run_stages([odd], data, Recorder())

    assert State.DONE is statuses[0].state
