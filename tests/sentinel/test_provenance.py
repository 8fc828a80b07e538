"""The side file of a run, and the names of its files."""

from datetime import UTC, datetime

import pytest

from sentinel.errors import CorruptFileError, NotFoundError
from sentinel.object_store import FolderStore
from sentinel.provenance import (
    Provenance, begun_at, file_stem, find_latest_run, publish_provenance, read_provenance, stored_history_name,
)


@pytest.fixture
def store(tmp_path):
    return FolderStore(f"file://{tmp_path}", tmp_path)


def provenance_of(run_id, files=None):
    return Provenance(run_id, "2026-03-01T00:00:00+00:00", "0.1.0", "code", ("size",), "input", 3, 1,
                      {"octo/harbour": 3}, None, None, files or {})


def test_provenance_comes_back_equal(store):
    publish_provenance(store, provenance_of("20260301T000000Z-aa", {"features/x": "hash"}))

    assert provenance_of("20260301T000000Z-aa", {"features/x": "hash"}) == read_provenance(store, "20260301T000000Z-aa")


def test_latest_run_is_the_last_that_has_a_provenance(store):
    for run_id in ("20260302T000000Z-bb", "20260301T000000Z-aa"):
        publish_provenance(store, provenance_of(run_id))
    store.put_bytes("features/20260303T000000Z-cc/part-1.parquet", b"")

    assert "20260302T000000Z-bb" == find_latest_run(store).run_id


def test_no_run_says_what_to_run(store):
    with pytest.raises(NotFoundError, match="run spark_preprocess first"):
        find_latest_run(store)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"run_id": 1}', b"\xff", b"null", b'{"feature_names": 1}'])
def test_another_file_in_its_place_is_corrupt(store, content):
    store.put_bytes("features/20260301T000000Z-aa/provenance.json", content)

    with pytest.raises(CorruptFileError, match="run spark_preprocess again"):
        find_latest_run(store)


def test_parts_are_the_parquet_files_without_the_reports_beside_them():
    files = {name: "hash" for name in ("features/run/part-b.parquet", "features/run/quality.json",
                                       "histories/run/octo__harbour@1.history", "features/run/part-a.parquet")}

    assert ["features/run/part-a.parquet", "features/run/part-b.parquet"] == provenance_of("run", files).parts


@pytest.mark.parametrize(("run_id", "expected"), [
    ("20260301T101112Z-aa", datetime(2026, 3, 1, 10, 11, 12, tzinfo=UTC)), ("run", None), ("", None)])
def test_name_of_a_run_tells_when_it_began(run_id, expected):
    assert expected == begun_at(run_id)


def test_history_is_found_by_the_name_under_which_it_was_stored():
    stored = stored_history_name("run", "octo/harbour", "0123456789abcdef0123")
    other = stored_history_name("run", "octo/harbour.x", "fedcba9876543210fedc")

    assert stored == provenance_of("run", {other: "b", stored: "a"}).history_name("octo/harbour")


def test_file_stem_is_plain_for_the_names_of_github():
    assert "octo-cat__har.bour_x" == file_stem("octo-cat/har.bour_x")


def test_no_two_repositories_share_a_file_and_every_file_system_takes_it():
    names = ["a__b/c", "a/b__c", "a_/_b", "ä/ö", "Ä/ö", "a/..", "a/b\\c", "x/" + "ü" * 198, "x/" + "ü" * 197 + "v"]

    stems = [file_stem(name) for name in names]

    assert len(names) == len(set(stems))
    assert all(stem.isascii() and len(stem) < 200 and "/" not in stem and "\\" not in stem for stem in stems)
