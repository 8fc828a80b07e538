"""The four stages as processes on one machine: a killed run, a whole one, one with nothing new, one question."""

import json
import random
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sentinel.history import RepositoryHistory, events_of
from sentinel.model import AnomalyModel
from sentinel.pull_request import parse_pull_request
from tests.command.processes import wait_until
from tests.patience import PATIENCE_SECONDS

ROOT = Path(__file__).parent.parent
N_PULL_REQUESTS, ODD = 300, 297
SEED = 20261122
FOLDERS = {"ada": "engine", "grace": "parser", "linus": "docs", "barbara": "storage"}
BEGIN = datetime(2025, 1, 1, tzinfo=UTC)

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a source in it; the data folder is made beside it."""
    folder = tmp_path_factory.mktemp("end_to_end")
    with open(folder / "prs.jsonl", "w", encoding="utf-8") as file:
        for pull_request in made_up_pull_requests():
            file.write(json.dumps(pull_request) + "\n")
        file.write("{no json\n")
    return folder


@pytest.fixture(scope="module")
def run(state: Path) -> Run:
    """Return a function that runs `sentinel` on the data folder."""
    def run_sentinel(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(command(state, *arguments), cwd=ROOT, capture_output=True, text=True,
                              timeout=4 * PATIENCE_SECONDS)  # of four stages

    return run_sentinel


@pytest.fixture(scope="module")
def killed_in_spark(state: Path) -> int:
    """Kill the command while Spark works; return how many of its processes are left soon after."""
    runner = subprocess.Popen(command(state, *run_arguments(state)), cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert runner.stdout is not None
    with runner.stdout as output:
        for line in output:
            if line.startswith("spark_preprocess"):
                break
        wait_until(lambda: any("java" in command_line for command_line in processes_of(state)))
        runner.send_signal(signal.SIGKILL)
        runner.wait()
    wait_until(lambda: not processes_of(state))
    return len(processes_of(state))


@pytest.fixture(scope="module")
def first(killed_in_spark: int, run: Run, state: Path) -> "subprocess.CompletedProcess[str]":
    """Return the whole run that follows the killed one."""
    return run(*run_arguments(state))


def test_nothing_outlives_a_killed_run(killed_in_spark):
    assert 0 == killed_in_spark


def test_run_after_a_killed_one_ends_with_a_ranked_list(first):
    assert (0, "") == (first.returncode, first.stderr)
    assert re.search(rf"spark_preprocess +done in .*features of {N_PULL_REQUESTS} in 1 repository", first.stdout)
    assert "  1  octo/harbour#" in first.stdout


def test_odd_one_is_in_the_list_with_a_reason(first, run):
    ranked = json.loads(run("top", "--json").stdout)
    odd = next(found for found in ranked if found["number"] == ODD)

    assert 10 == len(ranked)
    assert odd["reasons"][0]["sentence"] in run("explain", f"octo/harbour#{ODD}").stdout


def test_second_run_writes_nothing_and_says_so(first, run, state):
    second = run(*run_arguments(state))

    assert 0 == second.returncode
    assert "nothing new, nothing written" in second.stdout
    assert 2 == second.stdout.count("nothing to do")
    assert list_of(first) == list_of(second)


def test_scorer_answers_one_question_and_is_gone(first, run, state):
    odd = state / "odd.json"
    odd.write_text(json.dumps(next(one for one in made_up_pull_requests() if one["number"] == ODD)))

    answer = run("score", str(odd), "--json")

    assert (0, "") == (answer.returncode, answer.stderr)
    assert {"repository": "octo/harbour", "number": ODD}.items() <= json.loads(answer.stdout).items()
    assert [] == processes_of(state)


def test_numbers_are_equal_by_all_roads(first, run, state):
    """Spark and training, the scorer over HTTP, and a fold in this process give one score."""
    history, by_number = RepositoryHistory("octo/harbour"), {}
    records = [parse_pull_request(one) for one in made_up_pull_requests()]
    for event in sorted((event for record in records for event in events_of(record)), key=lambda one: one.sort_key):
        if event.kind == "opened":
            by_number[event.pull_request.number] = history.features(event.pull_request)
        history.observe(event)
    model = AnomalyModel.load(next((state / "data").rglob("model.onnx")))
    new = {**next(made_up_pull_requests()), "number": 901, "created_at": "2026-06-01T00:00:00Z", "merged_at": None}
    (state / "new.json").write_text(json.dumps(new))

    direct = model.score(np.array([by_number[ODD], history.features(parse_pull_request(new).pull_request)])).scores
    [by_spark] = [one["score"] for one in json.loads(run("top", "--json").stdout) if one["number"] == ODD]
    by_http = json.loads(run("score", str(state / "new.json"), "--json").stdout)["score"]

    assert direct[0] == by_spark
    assert round(direct[1], 6) == by_http


def list_of(run: "subprocess.CompletedProcess[str]") -> str:
    """Return the ranked list that a run printed."""
    return run.stdout[run.stdout.index("  1  "):]


def run_arguments(state: Path) -> tuple[str, ...]:
    """Return what `sentinel` is told to run the stages."""
    return "run", "--no-serve", "--source", f"jsonl:{state / 'prs.jsonl'}"


def command(state: Path, *arguments: str) -> list[str]:
    """Return a command line with the data folder."""
    return [sys.executable, "-m", "sentinel.command", *arguments, "--data", str(state / "data")]


def processes_of(state: Path) -> list[str]:
    """List the command lines and environments of the living processes that name the data folder."""
    return [found for found in map(_words_of, Path("/proc").glob("[0-9]*")) if str(state / "data") in found]


def _words_of(process: Path) -> str:
    try:
        if "Z" == (process / "stat").read_text().rpartition(")")[2].split()[0]:
            return ""
        return (process / "cmdline").read_text() + (process / "environ").read_text(errors="replace")
    except OSError:
        return ""


def made_up_pull_requests() -> Iterator[dict[str, Any]]:
    """Yield a calm history in which each author keeps to a folder, and one that does nothing like it."""
    dice = random.Random(SEED)
    for number in range(1, N_PULL_REQUESTS + 1):
        opened = BEGIN + timedelta(hours=30 * number + dice.randrange(9))
        author = dice.choice(list(FOLDERS))
        files = [file_of(f"{FOLDERS[author]}/part{dice.randrange(6)}.py", dice.randrange(1, 40)) for _ in range(2)]
        title = f"Mend part {dice.randrange(40)} of the {FOLDERS[author]}"
        if number == ODD:
            author, title = "newcomer", "Fix typo"
            files = [file_of(".github/workflows/release.yml", 60), file_of("engine/vendor/blob.min.js", 9000)]
        yield {
            "number": number, "title": title, "body": title, "user": {"login": author, "type": "User"},
            "created_at": opened.isoformat(), "merged_at": (opened + timedelta(hours=8)).isoformat(),
            "closed_at": (opened + timedelta(hours=8)).isoformat(), "commits": 1,
            "base": {"ref": "main", "repo": {"full_name": "octo/harbour"}}, "files": files,
            "additions": sum(file["additions"] for file in files), "deletions": 0, "changed_files": len(files),
        }


def file_of(path: str, additions: int) -> dict[str, Any]:
    """Return one changed file as GitHub gives it."""
    return {"filename": path, "status": "modified", "additions": additions, "deletions": 0}
