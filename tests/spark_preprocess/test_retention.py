"""Which runs stay."""

from datetime import UTC, datetime

import pytest

from sentinel.object_store import FolderStore
from sentinel.provenance import Provenance, find_latest_run, latest_run_id, publish_provenance
from spark_preprocess.retention import delete_old_runs, is_up_to_date, names_of_run
from spark_preprocess.spark_preprocess import new_run_id

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.fixture
def store(tmp_path):
    return FolderStore(f"file://{tmp_path}", tmp_path)


def put_run(store, run_id, is_published=True, fingerprint="code"):
    """Write a run of one part and one history."""
    files = {f"features/{run_id}/part-1.parquet": "a", f"histories/{run_id}/octo__harbour@1.history": "b"}
    for name in files:
        store.put_bytes(name, b"content")
    if is_published:
        publish_provenance(store, Provenance(run_id, "", "0.1.0", fingerprint, (), "input", 1, 0, {}, None, None,
                                             files))


def runs_of(store):
    """List the runs that have a file."""
    return sorted({name.split("/")[1] for name in store.names("")})


@pytest.mark.parametrize("latest, at_least", [
    (None, "20260310T120000Z-"), ("20260309T110000Z-aa", "20260310T120000Z-"), ("odd", "20260310T120000Z-"),
    ("20260310T120000Z-ff", "20260310T120001Z-"), ("20990101T000000Z-aa", "20990101T000001Z-"),
])
def test_new_run_comes_after_the_latest_though_the_clock_was_set_back(store, latest, at_least):
    if latest is not None:
        put_run(store, latest)

    run_id = new_run_id(NOW, latest_run_id(store))
    put_run(store, run_id)

    assert run_id.startswith(at_least)
    assert latest == "odd" or run_id == find_latest_run(store).run_id
    assert run_id != new_run_id(NOW, latest)


def test_latest_runs_stay_and_older_ones_go(store):
    for day in (1, 2, 3):
        put_run(store, f"2026030{day}T000000Z-aa")

    assert 1 == delete_old_runs(store, 2, NOW)
    assert ["20260302T000000Z-aa", "20260303T000000Z-aa"] == runs_of(store)


def test_latest_run_of_other_features_stays_for_a_model_that_is_still_served(store):
    for day, fingerprint in ((1, "older code"), (2, "older code"), (3, "old code"), (4, "code"), (5, "code")):
        put_run(store, f"2026030{day}T000000Z-aa", fingerprint=fingerprint)

    assert 2 == delete_old_runs(store, 1, NOW)
    assert ["20260302T000000Z-aa", "20260303T000000Z-aa", "20260305T000000Z-aa"] == runs_of(store)


def test_latest_run_of_other_features_goes_after_a_month(store):
    put_run(store, "20260208T110000Z-aa", fingerprint="old code")
    put_run(store, "20260305T000000Z-aa")

    assert 1 == delete_old_runs(store, 1, NOW)
    assert ["20260305T000000Z-aa"] == runs_of(store)


def test_run_whose_provenance_cannot_be_read_goes_like_any_other(store):
    store.put_bytes("features/20260304T000000Z-aa/provenance.json", b"{}")
    put_run(store, "20260305T000000Z-aa")

    assert 1 == delete_old_runs(store, 1, NOW)


def test_leftovers_of_killed_runs_go_after_a_day_and_never_push_a_good_run_out(store):
    put_run(store, "20260301T000000Z-aa")
    put_run(store, "20260302T000000Z-bb", is_published=False)
    put_run(store, "20260310T110000Z-cc", is_published=False)

    assert 1 == delete_old_runs(store, 1, NOW)
    assert ["20260301T000000Z-aa", "20260310T110000Z-cc"] == runs_of(store)


def test_provenance_is_deleted_first(store):
    put_run(store, "20260301T000000Z-aa")

    assert "features/20260301T000000Z-aa/provenance.json" == names_of_run(store, "20260301T000000Z-aa")[0]


@pytest.mark.parametrize(("snapshot", "fingerprint", "expected"), [
    ("input", "code", True), ("input", "other code", False), ("other input", "code", False)])
def test_run_of_the_same_input_and_code_is_up_to_date(store, snapshot, fingerprint, expected):
    put_run(store, "20260301T000000Z-aa")

    assert expected == is_up_to_date(store, snapshot, fingerprint)


def test_run_whose_files_are_gone_is_not_up_to_date(store):
    put_run(store, "20260301T000000Z-aa")
    store.delete("histories/20260301T000000Z-aa/octo__harbour@1.history")

    assert not is_up_to_date(store, "input", "code")


def test_nothing_is_up_to_date_in_an_empty_store(store):
    assert not is_up_to_date(store, "input", "code")
