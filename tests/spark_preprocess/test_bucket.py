"""The stage with a bucket: a run, a run that data stops, and a run that the network stops."""

from collections.abc import Iterator, Mapping

import pytest
from pymongo import MongoClient

from sentinel.history import RepositoryHistory
from sentinel.object_store import ObjectStore, open_object_store
from sentinel.provenance import find_latest_run
from tests.s3_server import CUT, FaultyFront, bucket_settings, faulty_front, s3_server
from tests.spark_preprocess.conftest import SIZES, run_stage, stage_environment

FUTURE = "2086-01-01T00:00:00Z"


@pytest.fixture(scope="module")
def front() -> Iterator[FaultyFront]:
    """Run a server that speaks S3, behind a front that can fail."""
    with s3_server() as endpoint, faulty_front(endpoint) as front:
        yield front


@pytest.fixture(scope="module")
def store(front) -> ObjectStore:
    """Return the store that the runs write to."""
    return open_object_store(bucket_settings(front.endpoint, "production"))


@pytest.fixture(scope="module")
def environment(front, store, records, store_records, tmp_path_factory) -> Mapping[str, str]:
    """Return the environment of the stage, with the bucket as its store."""
    return stage_environment(
        store_records(records), tmp_path_factory.mktemp("no store"), SENTINEL_OBJECT_STORE_URI=store.uri,
        SENTINEL_S3_ENDPOINT=front.endpoint, SENTINEL_S3_ACCESS_KEY="key", SENTINEL_S3_SECRET_KEY="the secret key")


@pytest.fixture(scope="module")
def good_run(environment, front, store, tmp_path_factory):
    """Run the stage; the first upload of every kind of file breaks once."""
    broken = set()

    def breaks_once(method: str, path: str) -> int | None:
        kind = path.rpartition(".")[2] if method == "PUT" else ""
        if kind not in ("parquet", "history", "json") or kind in broken:
            return None
        broken.add(kind)
        return {"parquet": CUT, "history": 500, "json": 503}[kind]

    front.fault = breaks_once
    run = run_stage(environment, tmp_path_factory.mktemp("run"))
    front.fault = lambda method, path: None
    assert {"parquet", "history", "json"} == broken
    return run


def change_some(environment: Mapping[str, str], **fields: object) -> None:
    """Change twenty stored pull requests."""
    with MongoClient(environment["MONGODB_URI"]) as client:
        stored = client["sentinel"]["pull_requests"]
        for number in range(1, 21):
            stored.update_one({"_id": f"octo/harbour#{number}"}, {"$set": {"content_hash": repr(fields), **fields}})


def test_run_into_a_bucket_is_whole_though_uploads_fail_once(good_run, store):
    provenance = find_latest_run(store)

    assert (0, SIZES) == (good_run.exit_code, provenance.repositories), good_run.events[-1]
    assert sorted(provenance.files) == [name for name in store.names("") if not name.endswith("provenance.json")]
    history = RepositoryHistory.from_bytes(store.get_bytes(provenance.history_name("octo/pier")))
    assert "octo/pier" == history.repository


def test_keys_of_the_bucket_stay_out_of_the_output(good_run):
    assert "the secret key" not in f"{good_run.events}{good_run.stderr}"


@pytest.mark.long_spark
def test_upload_that_always_breaks_is_temporary_and_nothing_more_is_visible(
        good_run, environment, front, store, tmp_path):
    before = store.names("")
    change_some(environment, title="Moored")
    front.fault = lambda method, path: CUT if method == "PUT" and path.endswith(".parquet") else None

    run = run_stage(environment, tmp_path)

    front.fault = lambda method, path: None
    assert (75, "UnavailableError") == (run.exit_code, run.events[-1]["error"])
    assert "the store did not answer as it should" in run.events[-1]["text"]
    assert before == store.names("")


@pytest.mark.long_spark
def test_bad_quality_stops_the_run_and_leaves_the_last_good_one(good_run, environment, store, tmp_path):
    good = find_latest_run(store)
    change_some(environment, created_at=FUTURE, closed_at=None, merged_at=None)

    run = run_stage(environment, tmp_path)

    left = [name for name in store.names("") if good.run_id not in name]
    assert (65, good.run_id) == (run.exit_code, find_latest_run(store).run_id)
    assert "all: 6.60% opened in the future, expected at most 1%" in run.events[-1]["text"]
    assert ["quality.html", "quality.json"] == [name.rpartition("/")[2] for name in left]
