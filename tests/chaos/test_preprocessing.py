"""spark_preprocess is killed, doubled, and cut off from MongoDB: readers see the old features or the new ones."""

import hashlib
import io
import os
import random
import signal
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow.parquet
import pytest

from sentinel.mongo import open_pull_request_store
from sentinel.object_store import FolderStore
from sentinel.provenance import Provenance, find_latest_run, publish_provenance
from sentinel.settings import MongoSettings
from sentinel.sources.page import Page
from tests.chaos.conftest import SEED
from tests.chaos.processes import Stage, kill_after, wait_until
from tests.spark_preprocess.conftest import descendants, made_up

pytestmark = pytest.mark.chaos
HARBOUR, N_STORED, N_KILLS = "octo/harbour", 400, 4
Rows = Counter[tuple[str, int]]


@pytest.fixture
def store_numbers(mongo, mongodb_database) -> Callable[[Sequence[int]], None]:
    def store(numbers: Sequence[int]) -> None:
        settings = MongoSettings(mongodb_uri=mongo.uri, mongodb_database=mongodb_database)
        with open_pull_request_store(settings) as pull_requests:
            pull_requests.prepare()
            pull_requests.save_page(Page(HARBOUR, tuple(made_up(HARBOUR, number) for number in numbers)))

    return store


@pytest.fixture
def preprocess(environment, tmp_path) -> Callable[..., Stage]:
    def start(**more: str) -> Stage:
        return Stage("spark_preprocess", environment | more, tmp_path / "runs")

    return start


def read(objects: Path) -> tuple[Provenance, Rows]:
    """Read the latest features as every reader does: each file must be what the provenance names."""
    store = FolderStore(objects.as_uri(), objects)
    provenance = find_latest_run(store)
    for name, sha256 in provenance.files.items():
        assert sha256 == hashlib.sha256(store.get_bytes(name)).hexdigest(), name
    tables = [pyarrow.parquet.read_table(io.BytesIO(store.get_bytes(name)), columns=["repository", "number"])
              for name in provenance.parts]
    return provenance, Counter((row["repository"], row["number"]) for table in tables for row in table.to_pylist())


def lost_and_duplicates(rows: Rows, last: int) -> tuple[int, int]:
    return len({(HARBOUR, number) for number in range(1, last + 1)} - set(rows)), rows.total() - len(rows)


def markers(objects: Path) -> int:
    return len(list(objects.glob("features/*/provenance.json")))


def test_preprocessing_killed_at_seeded_points_shows_old_or_new(preprocess, store_numbers, objects, seen):
    store_numbers(range(1, N_STORED + 1))
    clean = preprocess().wait()
    old, _ = read(objects)
    store_numbers(range(N_STORED + 1, N_STORED + 51))
    torn = kills = 0
    for place in range(N_KILLS):
        kills += kill_after(preprocess(), random.Random(SEED + place).uniform(0.2, 0.95) * clean.seconds)
        shown, rows = read(objects)
        torn += lost_and_duplicates(rows, N_STORED + (50 if shown.run_id != old.run_id else 0)) != (0, 0)

    again = preprocess().wait()

    lost, duplicates = lost_and_duplicates(read(objects)[1], N_STORED + 50)
    seen(kills=kills, torn_reads=torn, lost=lost, duplicates=duplicates, markers=markers(objects),
         exit=again.exit_code, seconds=round(again.seconds, 1), clean_seconds=round(clean.seconds, 1))
    assert kills, "every run had ended before it was killed"
    assert (0, 0, 0, 0, 2) == (again.exit_code, torn, lost, duplicates, markers(objects)), again.output[-2000:]


def test_clock_set_back_hides_no_new_features(preprocess, store_numbers, objects, seen):
    """The old features were made by a clock that was a year ahead, and the readers take what sorts last."""
    store_numbers(range(1, N_STORED + 1))
    preprocess().wait()
    old, _ = read(objects)
    ahead = f"{int(old.run_id[:4]) + 1}{old.run_id[4:]}"
    publish_provenance(FolderStore(objects.as_uri(), objects), replace(old, run_id=ahead))
    store_numbers(range(N_STORED + 1, N_STORED + 51))

    ended = preprocess().wait()
    shown, rows = read(objects)
    third = preprocess().wait()

    lost, duplicates = lost_and_duplicates(rows, N_STORED + 50)
    seen(lost=lost, duplicates=duplicates, exit=ended.exit_code, third=third.last.get("outcome"))
    assert (0, 0, 0, "nothing to do") == (ended.exit_code, lost, duplicates, third.last["outcome"])
    assert ahead < shown.run_id == ended.last["run_id"]


def test_python_of_spark_killed_for_its_memory_leaves_the_old_features(preprocess, store_numbers, objects, seen):
    """As the system does when memory ends: with -9, the process that holds most of it."""
    store_numbers(range(1, N_STORED + 1))
    preprocess().wait()
    old, _ = read(objects)
    store_numbers(range(N_STORED + 1, N_STORED + 51))
    stage = preprocess()
    stage.wait_for("spark_preprocess.spark_started")
    wait_until(lambda: len(workers_of(stage)) > 0 or stage.process.poll() is not None)
    killed = [kill_process(worker) for worker in workers_of(stage)]

    ended = stage.wait()
    shown, rows = read(objects)
    again = preprocess().wait()

    lost, duplicates = lost_and_duplicates(read(objects)[1], N_STORED + 50)
    seen(killed=len(killed), lost=lost, duplicates=duplicates, exit=[ended.exit_code, again.exit_code])
    assert killed and ended.exit_code in (0, 75), ended.output[-3000:]
    assert (0, 0) == lost_and_duplicates(rows, N_STORED + (50 if shown.run_id != old.run_id else 0))
    assert (0, 0, 0) == (again.exit_code, lost, duplicates)


def workers_of(stage: Stage) -> list[int]:
    """Return the Python processes that Java has started."""
    return [one for one in descendants(stage.process.pid) if "pyspark" in command_line(one)]


def command_line(process: int) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_text()
    except OSError:
        return ""


def kill_process(process: int) -> int:
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)
    return process


def test_two_preprocessings_at_once_give_whole_features(preprocess, store_numbers, objects, seen):
    store_numbers(range(1, N_STORED + 1))

    ended = [stage.wait() for stage in [preprocess(), preprocess()]]
    third = preprocess().wait()

    lost, duplicates = lost_and_duplicates(read(objects)[1], N_STORED)
    seen(lost=lost, duplicates=duplicates, exit=[one.exit_code for one in ended], third=third.last.get("outcome"))
    assert {one.exit_code for one in ended} <= {0, 75} and 0 in [one.exit_code for one in ended]
    assert (0, 0, "nothing to do") == (lost, duplicates, third.last["outcome"])


def test_mongodb_gone_while_spark_reads_leaves_the_old_features(
        preprocess, store_numbers, mongo, objects, proxy, seen):
    store_numbers(range(1, N_STORED + 1))
    preprocess().wait()
    old, _ = read(objects)
    store_numbers(range(N_STORED + 1, N_STORED + 51))
    network = proxy(urlsplit(mongo.uri).port)
    through = f"mongodb://127.0.0.1:{network.port}"
    stage = preprocess(MONGODB_URI=through)
    stage.wait_for("spark_preprocess.spark_started")
    network.refuse()

    ended = stage.wait()
    shown, rows = read(objects)
    network.accept()
    again = preprocess(MONGODB_URI=through).wait()

    lost, duplicates = lost_and_duplicates(read(objects)[1], N_STORED + 50)
    seen(lost=lost, duplicates=duplicates, exit=[ended.exit_code, again.exit_code], seconds=round(ended.seconds, 1))
    assert (75, old.run_id, (0, 0)) == (ended.exit_code, shown.run_id, lost_and_duplicates(rows, N_STORED)), \
        ended.output[-3000:]
    assert (0, 0, 0) == (again.exit_code, lost, duplicates)
