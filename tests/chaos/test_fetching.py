"""data_fetch is killed, doubled, and cut off from MongoDB: nothing is lost, nothing is there twice."""

import random
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import orjson
import pytest
from pymongo import MongoClient

from tests.chaos.conftest import SEED
from tests.chaos.processes import Ended, Stage, kill_after

pytestmark = pytest.mark.chaos
N_LINES, N_KILLS, N_CUTS = 4_000, 10, 12
PASSWORD = "canary-5c0ffee"


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    """Write pull requests of two repositories as JSON lines."""
    path = tmp_path / "pull_requests.jsonl"
    path.write_bytes(b"".join(orjson.dumps(line(number)) + b"\n" for number in range(1, N_LINES + 1)))
    return path


def line(number: int) -> Mapping[str, object]:
    return {"number": number, "title": f"Mend quay {number}", "created_at": "2026-03-02T09:30:00Z", "body": "x" * 400,
            "base": {"ref": "main", "repo": {"full_name": ("octo/harbour", "octo/pier")[number % 2]}}}


def fetch(lines: Path, environment: Mapping[str, str]) -> Stage:
    return Stage("data_fetch", environment, lines.parent / "runs", "--source", f"jsonl:{lines}")


def lost_and_duplicates(mongo, environment: Mapping[str, str]) -> tuple[int, int]:
    """Count the lines that are not stored, and the documents that no line needs."""
    with MongoClient(mongo.uri) as client:
        stored = client[environment["SENTINEL_MONGODB_DATABASE"]]["pull_requests"].find({}, {"number": 1, "title": 1})
        numbers = [document["number"] for document in stored if document["title"] == f"Mend quay {document['number']}"]
    return len(set(range(1, N_LINES + 1)) - set(numbers)), len(numbers) - len(set(numbers))


def test_fetch_killed_at_seeded_points_is_completed_by_the_next(mongo, environment, lines, seen):
    clean = fetch(lines, environment | {"SENTINEL_MONGODB_DATABASE": "clean"}).wait()
    moments = [random.Random(SEED + place).uniform(0.1, 0.95) * clean.seconds for place in range(N_KILLS)]
    kills = sum([kill_after(fetch(lines, environment), moment) for moment in moments])

    again = fetch(lines, environment).wait()

    lost, duplicates = lost_and_duplicates(mongo, environment)
    seen(kills=kills, lost=lost, duplicates=duplicates, exit=again.exit_code, seconds=round(again.seconds, 1),
         clean_seconds=round(clean.seconds, 1))
    assert kills and (0, 0, 0) == (again.exit_code, lost, duplicates), again.output[-2000:]


def test_two_fetches_at_once_store_each_pull_request_once(mongo, environment, lines, seen):
    ended = [stage.wait() for stage in [fetch(lines, environment), fetch(lines, environment)]]

    lost, duplicates = lost_and_duplicates(mongo, environment)
    new = sum(int(str(one.last["new"])) for one in ended)
    seen(lost=lost, duplicates=duplicates, exit=[one.exit_code for one in ended])
    assert ([0, 0], 0, 0) == ([one.exit_code for one in ended], lost, duplicates)
    assert N_LINES <= new + sum(int(str(one.last["unchanged"])) for one in ended)


def test_mongodb_cut_within_bulks_loses_nothing(mongo, environment, lines, proxy, seen):
    """Half of the cuts are within a request, half within an answer: the write was done and the client never heard."""
    rng, cuts = random.Random(SEED), list(range(N_CUTS))
    network = proxy(urlsplit(mongo.uri).port)
    network.next_cut = lambda: (None, None) if not cuts else (
        (rng.randint(2_000, 600_000), None) if cuts.pop() % 2 else (None, rng.randint(600, 6_000)))
    cut_off = environment | {"MONGODB_URI": f"mongodb://127.0.0.1:{network.port}"}
    ended: list[Ended] = []
    while not ended or (ended[-1].exit_code == 75 and len(ended) < N_CUTS):
        ended.append(fetch(lines, cut_off).wait())

    lost, duplicates = lost_and_duplicates(mongo, environment)
    seen(cuts=network.n_cut, runs=len(ended), lost=lost, duplicates=duplicates, exit=[one.exit_code for one in ended])
    assert (0, 0, 0) == (ended[-1].exit_code, lost, duplicates), ended[-1].output[-2000:]
    assert network.n_cut >= 3


@pytest.mark.parametrize("trouble", ["refuses", "silent"])
def test_mongodb_that_is_away_is_told_within_the_budget_and_without_the_password(
        trouble, mongo, environment, lines, proxy, seen):
    network = proxy(urlsplit(mongo.uri).port)
    network.refuse() if trouble == "refuses" else setattr(network, "is_silent", True)
    uri = f"mongodb://sentinel:{PASSWORD}@127.0.0.1:{network.port}"

    ended = fetch(lines, environment | {"MONGODB_URI": uri}).wait()

    seen(exit=ended.exit_code, seconds=round(ended.seconds, 1))
    assert 75 == ended.exit_code and ended.seconds < 30, ended.output[-2000:]
    assert str(network.port) in str(ended.last["text"]) and PASSWORD not in ended.output


def test_mongodb_that_comes_back_within_the_budget_costs_no_run(mongo, environment, lines, proxy, seen):
    network = proxy(urlsplit(mongo.uri).port)
    network.latency_seconds = 0.02
    stage = fetch(lines, environment | {"MONGODB_URI": f"mongodb://127.0.0.1:{network.port}"})
    stage.wait_for("data_fetch.progress")
    assert stage.process.poll() is None
    network.refuse()
    time.sleep(2)
    network.accept()
    back = time.monotonic()

    ended = stage.wait()

    lost, duplicates = lost_and_duplicates(mongo, environment)
    seen(lost=lost, duplicates=duplicates, exit=ended.exit_code, seconds=round(time.monotonic() - back, 1))
    assert (0, 0, 0) == (ended.exit_code, lost, duplicates), ended.output[-2000:]
