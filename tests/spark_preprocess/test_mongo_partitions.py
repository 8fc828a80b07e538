"""What MongoDB holds, cut into partitions, and read as rows of events."""

import random
from array import array

import pytest
from pymongo import MongoClient

from sentinel.mongo import to_document
from spark_preprocess.mongo_partitions import (
    NumberRange, assign_lanes, look_over, plan_partitions, read_partition, to_event_rows,
)

HASHES = [("octo/harbour", f"octo/harbour#{number}", f"hash{number}") for number in range(1, 8)]


def test_snapshot_does_not_depend_on_order():
    shuffled = random.Random(7).sample(HASHES, len(HASHES))

    assert look_over(HASHES).snapshot == look_over(shuffled).snapshot


def test_snapshot_changes_with_any_content():
    changed = [("octo/harbour", "octo/harbour#3", "other") if key.endswith("#3") else (name, key, content)
               for name, key, content in HASHES]

    assert look_over(HASHES).snapshot != look_over(changed).snapshot


def test_snapshot_tells_one_document_from_two_equal_ones():
    assert look_over(HASHES).snapshot != look_over([*HASHES, HASHES[0]]).snapshot


def test_documents_that_their_key_does_not_find_are_counted():
    stored = look_over([*HASHES, ("octo/harbour", "octo/pier#1", "a"), (None, "octo/pier#2", "b"),
                        ("octo/pier", "octo/pier#x", "c")])

    assert (10, 3, 7) == (stored.n_pull_requests, stored.misfiled, len(stored.numbers["octo/harbour"]))


def test_large_repositories_are_cut_and_small_ones_put_together():
    numbers = {"a/large": array("q", range(1, 8)), "b/small": array("q", [2]), "c/small": array("q", [4, 9])}

    planned = plan_partitions(numbers, most=4)

    assert [(NumberRange("a/large", 1, 4, 4),),
            (NumberRange("a/large", 5, 7, 3), NumberRange("b/small", 2, 2, 1)),
            (NumberRange("c/small", 4, 9, 2),)] == planned


def test_lanes_hold_about_the_same_and_every_repository_has_one():
    counts = {"a/a": 100, "b/b": 60, "c/c": 50, "d/d": 5, "e/e": 1}

    lanes = assign_lanes(counts, 2)

    filled = [sum(counts[name] for name in counts if lanes[name] == lane) for lane in (0, 1)]
    assert [106, 110] == sorted(filled)


def test_rows_of_a_document_are_its_events_with_times_that_sort_as_text(records):
    merged = next(record for record in records if record.outcome.is_merged)

    rows = list(to_event_rows(to_document(merged), merged.pull_request.repository, lane=3))

    assert ["opened", "merged"] == [row[5] for row in rows]
    assert [merged.pull_request.opened_at.isoformat(timespec="microseconds"),
            merged.outcome.merged_at.isoformat(timespec="microseconds")] == [row[2] for row in rows]
    assert {32} == {len(row[2]) for row in rows}


@pytest.mark.parametrize(("field", "value", "reason"), [
    ("created_at", None, b"created_at: seen null, expected a time such as 2026-01-31T12:00:00Z"),
    ("files", 7, b"files: seen int, expected a list"),
    ("number", "12", b"number: seen '12', expected a whole number above 0"),
    ("additions", -1, b"additions: seen -1, expected a whole number from 0"),
])
def test_a_poisoned_document_becomes_one_row_with_the_reason(records, field, value, reason):
    document = to_document(records[0]) | {field: value}

    rows = list(to_event_rows(document, records[0].pull_request.repository, lane=0))

    assert [("rejected", reason)] == [(row[5], row[6]) for row in rows]


def test_a_document_of_another_repository_is_rejected(records):
    rows = list(to_event_rows(to_document(records[0]), "octo/elsewhere", lane=0))

    assert [b"repository: not the one it is stored under"] == [row[6] for row in rows]


def test_a_partition_reads_its_numbers_only_and_misses_none_silently(records, store_records):
    settings = store_records([record for record in records if record.pull_request.number <= 60])
    with MongoClient(settings.mongodb_uri.get_secret_value()) as client:
        client["sentinel"]["pull_requests"].update_one({"_id": "octo/pier#20"}, {"$set": {"number": "20"}})

    rows = list(read_partition(settings, (NumberRange("octo/pier", 11, 30, 20),), {"octo/pier": 0}))

    assert sorted({*range(11, 31)} - {20}) == sorted(row[4] for row in rows if row[5] == "opened")
    assert [b"number: not the one its key says, or deleted while reading"] == [
        row[6] for row in rows if row[5] == "rejected"]
