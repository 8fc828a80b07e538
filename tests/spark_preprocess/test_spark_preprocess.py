"""The stage as a process: one Spark session for all tests of a good run, one more for each way of dying."""

import hashlib
import io
import json
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pyarrow.parquet
import pytest
from pymongo import MongoClient

from sentinel.errors import DataUnusableError, NotFoundError
from sentinel.features import FEATURE_NAMES, feature_fingerprint
from sentinel.history import RepositoryHistory, events_of
from sentinel.provenance import find_latest_run
from spark_preprocess.mongo_partitions import StoredInput
from spark_preprocess.publish import FEATURE_SCHEMA, Summary
from spark_preprocess.spark_preprocess import count_rejected
from tests.patience import PATIENCE_SECONDS
from tests.spark_preprocess.conftest import (
    SIZES, StageRun, descendants, run_stage, stage_environment, still_running,
)


@pytest.fixture(scope="session")
def good_run(records, store_records, tmp_path_factory) -> StageRun:
    """Run the stage once over all made-up records, two of them spoiled in the store."""
    settings = store_records(records)
    with MongoClient(settings.mongodb_uri.get_secret_value()) as client:
        stored = client["sentinel"]["pull_requests"]
        stored.update_one({"_id": "octo/harbour#17"}, {"$set": {"created_at": "yesterday"}})
        stored.update_one({"_id": "octo/harbour#18"}, {"$set": {"files": "many"}})
    folder = tmp_path_factory.mktemp("store")
    return run_stage(stage_environment(settings, folder), folder)


@pytest.fixture(scope="session")
def table(good_run) -> pyarrow.Table:
    """Return all parts of the good run."""
    parts = [io.BytesIO(good_run.store.get_bytes(name)) for name in good_run.provenance.parts]
    return pyarrow.concat_tables(pyarrow.parquet.read_table(part) for part in parts)


def folded(records, repository) -> Iterator[tuple[int, bytes]]:
    """Fold one repository without Spark; yield number and the bits of the vector."""
    history = RepositoryHistory(repository)
    events = [event for record in records for event in events_of(record)
              if record.pull_request.repository == repository and record.pull_request.key not in
              ("octo/harbour#17", "octo/harbour#18")]
    for event in sorted(events, key=lambda event: event.sort_key):
        if event.kind == "opened":
            vector = history.features(event.pull_request)
            yield event.pull_request.number, struct.pack(f"{len(vector)}d", *vector)
        history.observe(event)


@pytest.mark.parametrize("repository", SIZES)
def test_features_are_those_of_a_direct_fold_bit_for_bit(table, records, repository):
    rows = table.filter(pyarrow.compute.equal(table["repository"], repository))
    vectors = zip(*(rows[name].to_pylist() for name in FEATURE_NAMES))

    by_spark = [(number, struct.pack(f"{len(vector)}d", *vector))
                for number, vector in zip(rows["number"].to_pylist(), vectors)]

    assert list(folded(records, repository)) == by_spark


@pytest.mark.parametrize("repository", SIZES)
def test_histories_are_those_of_a_direct_fold(good_run, records, repository):
    history = RepositoryHistory(repository)
    for event in sorted((event for record in records for event in events_of(record)
                         if record.pull_request.repository == repository
                         and record.pull_request.key not in ("octo/harbour#17", "octo/harbour#18")),
                        key=lambda event: event.sort_key):
        history.observe(event)

    assert history.to_bytes() == good_run.store.get_bytes(good_run.provenance.history_name(repository))


def test_parquet_has_the_columns_of_the_architecture(table, records):
    first = next(record.pull_request for record in records if record.pull_request.key == "octo/pier#7")
    row = table.filter((pyarrow.compute.field("repository") == "octo/pier")
                       & (pyarrow.compute.field("number") == 7)).to_pylist()[0]

    assert FEATURE_SCHEMA == table.schema
    assert (first.title, first.author, first.opened_at, first.additions, True) == (
        row["title"], row["author"], row["opened_at"], row["additions"], row["warm_up"])


def test_parts_carry_statistics_and_are_compressed(good_run):
    metadata = pyarrow.parquet.read_metadata(io.BytesIO(good_run.store.get_bytes(good_run.provenance.parts[0])))
    column = metadata.row_group(0).column(FEATURE_SCHEMA.names.index("opened_at"))

    assert ("ZSTD", True) == (column.compression, column.is_stats_set)


def test_provenance_counts_what_was_read_and_what_was_rejected(good_run):
    provenance = good_run.provenance

    assert (301, 2) == (provenance.n_pull_requests, provenance.n_rejected)
    assert {**SIZES, "octo/harbour": 238} == provenance.repositories
    assert (feature_fingerprint(), FEATURE_NAMES) == (provenance.feature_fingerprint, provenance.feature_names)
    assert "2025-01-01T05:00:01+00:00" == provenance.opened_from


def test_provenance_names_every_file_with_its_checksum(good_run):
    files = {name: hashlib.sha256(good_run.store.get_bytes(name)).hexdigest()
             for name in good_run.store.names("") if not name.endswith("provenance.json")}

    assert files == good_run.provenance.files


def test_report_of_quality_lies_beside_the_data(good_run):
    folder = f"features/{good_run.provenance.run_id}"
    report = json.loads(good_run.store.get_bytes(f"{folder}/quality.json"))

    assert (301, []) == (report["n_pull_requests"], report["findings"])
    assert [238, 60, 3] == sorted((one["n_rows"] for one in report["repositories"]), reverse=True)
    assert b"301 pull requests of 3 repositories" in good_run.store.get_bytes(f"{folder}/quality.html")


def test_standard_output_is_json_lines_that_end_with_the_facts(good_run):
    finished = good_run.events[-1]

    assert (0, "spark_preprocess.finished") == (good_run.exit_code, finished["event"])
    assert {"created_at": 1, "files": 1} == finished["rejected"]
    assert {"spark_preprocess"} == {event["stage"] for event in good_run.events}


def test_closing_line_tells_where_the_time_went(good_run):
    finished = good_run.events[-1]

    seconds = dict(finished["seconds_by_part"])
    of_tasks = [seconds.pop(part) for part in ("reading_mongodb", "folding", "writing_parquet")]

    assert {"looking_over", "starting_spark", "waiting_for_spark"} == set(seconds)
    assert all(spent > 0 for spent in of_tasks)  # added up over tasks that ran side by side
    assert 0 <= seconds.pop("waiting_for_spark") < finished["seconds"]  # less than a millisecond on a quiet machine
    assert all(0 < spent < finished["seconds"] for spent in seconds.values())


def test_progress_ends_with_all_pull_requests(good_run):
    told = [event for event in good_run.events if event["event"] == "spark_preprocess.progress"]

    assert (303, "pull requests") == (told[-1]["total"], told[-1]["unit"])
    assert sorted(event["done"] for event in told) == [event["done"] for event in told]


def test_no_process_of_a_good_run_stays(good_run):
    assert len(good_run.processes) > 2
    assert set() == still_running(good_run.processes)


def test_second_run_finds_nothing_to_do_and_starts_no_spark(good_run, tmp_path):
    again = run_stage(good_run.environment | {"PATH": "", "JAVA_HOME": "/nowhere"}, tmp_path)

    assert (0, "nothing to do") == (again.exit_code, again.events[-1]["outcome"])
    assert ["spark_preprocess.finished"] == [event["event"] for event in again.events]


def test_empty_database_is_unusable_data(store_records, tmp_path):
    empty = run_stage(stage_environment(store_records([]), tmp_path), tmp_path)

    assert 65 == empty.exit_code
    assert "MongoDB holds no pull request" in empty.events[-1]["text"]


def test_missing_settings_are_listed_at_once(tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "MONGODB_URI"}

    run = run_stage({**environment, "PYTHONPATH": os.getcwd()}, tmp_path)

    assert 2 == run.exit_code
    assert all(name in run.events[-1]["text"] for name in ("MONGODB_URI", "SENTINEL_OBJECT_STORE_URI"))


@pytest.mark.parametrize(("rejected", "is_usable"), [(5, True), (6, False)])
def test_more_rejected_documents_than_allowed_stop_the_run(rejected, is_usable):
    stored = StoredInput("", 100, {}, misfiled=2)
    summaries = [Summary("rejected", "files", rejected - 2)]

    if is_usable:
        assert {"_id": 2, "files": 3} == count_rejected(summaries, stored, 0.05)
    else:
        with pytest.raises(DataUnusableError, match=r"6 of 100 .* \(_id: 2, files: 4\), expected at most 5%"):
            count_rejected(summaries, stored, 0.05)


@pytest.mark.parametrize(("number", "exit_code"), [
    (signal.SIGTERM, 75), (signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_stopped_run_leaves_no_process_and_nothing_that_counts(good_run, tmp_path, number, exit_code):
    environment = good_run.environment | {"SENTINEL_OBJECT_STORE_URI": f"file://{tmp_path}", "TMPDIR": str(tmp_path)}
    with started_stage(environment, tmp_path) as process:
        below = descendants(process.pid)
        process.send_signal(number)
        said, _ = process.communicate(timeout=PATIENCE_SECONDS)
    wait_until_gone(below)

    assert exit_code == process.returncode
    assert "Traceback" not in said + (tmp_path / "stderr").read_text()
    assert set() == still_running(below)
    with pytest.raises(NotFoundError):
        find_latest_run(good_run.store.__class__(f"file://{tmp_path}", tmp_path))


@pytest.mark.long_spark
def test_java_that_is_killed_is_temporary_and_told_once(good_run, tmp_path):
    environment = good_run.environment | {"SENTINEL_OBJECT_STORE_URI": f"file://{tmp_path}", "TMPDIR": str(tmp_path)}
    with started_stage(environment, tmp_path) as process:
        java = next(one for one in descendants(process.pid) if Path(f"/proc/{one}/comm").read_text() == "java\n")
        os.kill(java, signal.SIGKILL)
        said, _ = process.communicate(timeout=PATIENCE_SECONDS)

    last = json.loads(said.splitlines()[-1])
    assert (75, "UnavailableError") == (process.returncode, last["error"])
    assert "Spark's Java ended with -9 before the work was done; give it more memory" in last["text"]
    assert "Traceback" not in said + (tmp_path / "stderr").read_text()


@contextmanager
def started_stage(environment: Mapping[str, str], folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Start the stage, and wait until its tasks begin."""
    with (folder / "stderr").open("w") as stderr, subprocess.Popen(
            [sys.executable, "-P", "-m", "spark_preprocess"], env=dict(environment), cwd=folder,
            stdout=subprocess.PIPE, stderr=stderr, text=True) as process:
        wait_for_python_workers(process)
        yield process


def wait_for_python_workers(process: subprocess.Popen[str]) -> None:
    """Return when the stage has said that Spark started, and Java has started a Python process."""
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line)["event"] == "spark_preprocess.spark_started":
            break
    while len(descendants(process.pid)) < 2:
        assert process.poll() is None, f"ended with {process.returncode} before Spark started"
        time.sleep(0.02)


def wait_until_gone(processes: set[int]) -> None:
    """Return when all are gone, or nobody believes any more that they go."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while still_running(processes) and time.monotonic() < deadline:
        time.sleep(0.05)
