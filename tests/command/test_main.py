"""The command as people and scripts meet it: help, exit codes, and words on standard error."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from sentinel.command.__main__ import main
from sentinel.command.data_folder import DataFolder, locked
from sentinel.object_store import FolderStore
from tests.command.made_up_verdicts import VERDICT, write_verdicts
from tests.patience import PATIENCE_SECONDS

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "sentinel.command")


@pytest.fixture(autouse=True)
def signals():
    """Give the signals back to pytest, which `main` takes."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.fixture
def judged(tmp_path):
    """Return a data folder with one verdict in it."""
    write_verdicts(FolderStore("", tmp_path / "objects"), "1", [VERDICT])
    return str(tmp_path)


@pytest.mark.parametrize("command, example", [
    ("run", "sentinel run --source git:. --no-serve"), ("top", "sentinel top --repository apache/kafka"),
    ("explain", "sentinel explain apache/kafka#123"), ("score", "gh api repos/apache/kafka/pulls/123 | sentinel"),
    ("features", "sentinel features apache/kafka#123 --all"), ("models", "sentinel models --json | jq"),
    ("backtest", "sentinel backtest git:../kafka --out scores.jsonl"), ("promote", "sentinel promote 4 --why"),
    ("rollback", "sentinel rollback --why 'too many"),
])
def test_help_teaches_by_example(command, example, capsys):
    assert 0 == main([command, "--help"])
    assert example in capsys.readouterr().out


def test_help_waits_for_no_library():
    code = "import sys, sentinel.command.__main__; print({'rich', 'pymongo', 'pyarrow', 'pydantic'} & set(sys.modules))"

    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)

    assert "set()\n" == result.stdout


@pytest.mark.parametrize("arguments, code, text", [
    (("run", "--port", "0"), 2, "Invalid value for '--port'"),
    (("run", "--sauce", "x"), 2, "No such option"),
    (("run", "--no-serve", "--data", "/proc/state"), 2, "cannot write the data folder /proc/state"),
    (("run", "--no-serve", "--data", __file__), 2, "cannot write the data folder"),
    (("top", "--data", "/no/where"), 2, "no verdicts yet"),
    (("explain", "harbour"), 2, "expected OWNER/NAME#N"),
    (("score", "/no/where.json"), 2, "No such file"),
])
def test_what_must_be_corrected_is_said_with_exit_code_2(arguments, code, text, capsys):
    assert code == main(arguments)
    assert text in capsys.readouterr().err


def test_taken_port_stops_the_run_before_anything_starts(tmp_path, capsys):
    with socket.create_server(("127.0.0.1", 0)) as server:
        code = main(["run", "--port", str(server.getsockname()[1]), "--data", str(tmp_path / "state")])

    assert 2 == code
    assert "cannot serve on port" in capsys.readouterr().err
    assert not (tmp_path / "state").exists()


def test_unknown_source_fails_in_the_stages_words(tmp_path, capsys):
    code = main(["run", "--no-serve", "--source", "ftp:x", "--data", str(tmp_path)])
    errors = capsys.readouterr().err

    assert 2 == code
    assert errors.startswith("data_fetch failed with exit code 2:\n")
    assert "ftp:x" in errors and str(tmp_path / "logs" / "data_fetch.jsonl") in errors


def test_hostile_words_in_an_error_are_made_visible(judged, capsys):
    main(["explain", "octo/\x1b[2J#1", "--data", judged])

    assert "no verdicts on octo/\\x1b[2J" in capsys.readouterr().err


def test_interrupt_ends_with_130_and_leaves_the_folder_free(tmp_path):
    source = tmp_path / "pipe.jsonl"
    subprocess.run(["mkfifo", source], check=True)
    state = tmp_path / "state"
    runner = subprocess.Popen([*COMMAND, "run", "--no-serve", "--source", f"jsonl:{source}", "--data", str(state)],
                              cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert runner.stdout is not None and "data_fetch" in runner.stdout.readline()

    runner.send_signal(signal.SIGINT)
    _, errors = runner.communicate(timeout=PATIENCE_SECONDS)

    assert 130 == runner.returncode
    assert "stopped" in errors
    with locked(DataFolder(state)):
        assert not (state / "mongodb.pid").exists()


def test_top_prints_the_list(judged, capsys):
    assert 0 == main(["top", "--data", judged])
    assert "octo/harbour#7" in capsys.readouterr().out


def test_a_persons_own_vault_is_not_asked(judged, monkeypatch, capsys):
    monkeypatch.setenv("VAULT_ADDR", "https://vault.example.com")

    assert 0 == main(["top", "--data", judged])
    assert "octo/harbour#7" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["octo/harbour#7", "https://github.com/octo/harbour/pull/7", " octo/harbour#7 "])
def test_explain_takes_the_name_or_the_address(judged, name, capsys):
    assert 0 == main(["explain", name, "--data", judged])
    assert "undoes a recent change" in capsys.readouterr().out


def test_closed_pipe_is_no_error(judged):
    result = subprocess.run(f"{sys.executable} -m sentinel.command top --json --data {judged} | true; "
                            "exit ${PIPESTATUS[0]}", shell=True, executable="/bin/bash", cwd=ROOT,
                            capture_output=True, text=True)

    assert (0, "") == (result.returncode, result.stderr)
