"""A child never outlives its holder, and neither does what it started."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sentinel.command.child import Program, running
from tests.command.processes import lives, wait_until
from tests.patience import PATIENCE_SECONDS

# Starts a process that moves to a session of its own, as daemons do, and tells its id.
WITH_GRANDCHILD = """
import os, subprocess, time
sleeper = subprocess.Popen(["sleep", "60"], start_new_session=True)
print(sleeper.pid, flush=True)
"""
HOLDER = """
import os, sys
from pathlib import Path
from sentinel.command.child import Program, running
with running(Program("made_up", (sys.executable, "-c", sys.argv[1]), dict(os.environ)), Path(sys.argv[2])) as child:
    for line in child.lines():
        print(line.decode(), end="", flush=True)
"""


def test_lines_are_read_and_kept_in_the_log(program, data):
    with running(program("print('one'); print('two')"), data.logs) as child:
        lines = list(child.lines())

    assert [b"one\n", b"two\n"] == lines
    assert "one\ntwo\n" == (data.logs / "data_fetch.jsonl").read_text()


def test_standard_error_has_a_log_of_its_own(program, data):
    with running(program("import sys; sys.stderr.write('oh')"), data.logs) as child:
        child.wait()

    assert "oh" == child.stderr_log.read_text()


@pytest.mark.parametrize("code, expected", [
    ("pass", 0), ("raise SystemExit(65)", 65), ("import os; os.kill(os.getpid(), 9)", 128 + 9),
])
def test_exit_code_is_the_programs(program, data, code, expected):
    with running(program(code), data.logs) as child:
        assert expected == child.wait()


def test_what_a_program_leaves_running_is_killed_when_it_ends(program, data):
    with running(program(WITH_GRANDCHILD), data.logs) as child:
        grandchild = int(next(child.lines()))
        child.wait()

        assert not lives(grandchild)


def test_what_a_killed_program_leaves_running_is_killed(program, data):
    with running(program(WITH_GRANDCHILD + "os.kill(os.getpid(), 9)"), data.logs) as child:
        grandchild = int(next(child.lines()))

        assert 128 + 9 == child.wait()
        assert not lives(grandchild)


def test_leaving_kills_a_program_that_ignores_signals(program, data):
    stubborn = ("import os, signal; signal.signal(15, signal.SIG_IGN)\n"
                "print(os.getpid(), flush=True)\nwhile True: signal.pause()")
    with running(program(stubborn), data.logs) as child:
        process = int(next(child.lines()))
        child.stop(signal.SIGTERM, grace_seconds=0.2)

        assert not lives(process)


def test_interrupt_reaches_the_program_and_its_last_words_are_kept(program, data):
    code = "import time\ntry: print('ready', flush=True); time.sleep(60)\nexcept KeyboardInterrupt: print('tidied up')"
    with running(program(code), data.logs) as child:
        next(child.lines())
        child.stop(signal.SIGINT, grace_seconds=PATIENCE_SECONDS)

        assert 0 == child.wait()
        assert "ready\ntidied up\n" == child.log.read_text()


def test_killing_the_holder_kills_everything(tmp_path):
    code = WITH_GRANDCHILD + "print(os.getpid(), flush=True); time.sleep(60)"
    root = Path(__file__).parents[2]
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, code, str(tmp_path)], stdout=subprocess.PIPE, cwd=root)
    assert holder.stdout is not None
    processes = [int(holder.stdout.readline()) for _ in range(2)]
    assert all(map(lives, processes))

    holder.kill()
    holder.wait()
    holder.stdout.close()

    wait_until(lambda: not any(map(lives, processes)))


def test_program_that_is_not_there_says_so(data):
    with running(Program("made_up", ("/no/such/program",), {**os.environ}), data.logs) as child:
        assert 127 == child.wait()

    assert "/no/such/program: No such file or directory\n" == child.stderr_log.read_text()
