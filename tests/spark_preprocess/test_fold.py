"""The fold of one repository's events."""

from collections import Counter

import orjson

from sentinel.history import RepositoryHistory, events_of
from sentinel.mongo import to_document, to_payload
from spark_preprocess import fold
from spark_preprocess.fold import RecentPullRequests, StoredEvent, fold_repository, only_events


def stored_events(records, repository):
    """Return the rows of one repository in order of time."""
    events = sorted(((event, record) for record in records if record.pull_request.repository == repository
                     for event in events_of(record)), key=lambda pair: pair[0].sort_key)
    return [StoredEvent(repository, event.at.isoformat(timespec="microseconds"), event.pull_request.number, event.kind,
                        orjson.dumps(to_payload(to_document(record)))) for event, record in events]


def test_rows_are_opened_pull_requests_in_order_of_time(records):
    rows = list(fold_repository(RepositoryHistory("octo/pier"), stored_events(records, "octo/pier")))

    assert list(range(1, 61)) == [row.pull_request.number for row in rows]


def test_first_pull_requests_are_marked_as_warm_up(records):
    rows = list(fold_repository(RepositoryHistory("octo/pier"), stored_events(records, "octo/pier")))

    assert [True] * 50 + [False] * 10 == [row.is_warm_up for row in rows]


def test_rejections_are_counted_by_field_and_left_out(records):
    events = stored_events(records, "anna/quay")
    rejected = [StoredEvent("anna/quay", "", 0, "rejected", reason)
                for reason in (b"files: a", b"files: b", b"user: c")]
    reasons: Counter[str] = Counter()

    assert events == list(only_events([*rejected, *events], reasons, Counter()))
    assert {"files": 2, "user": 1} == reasons


def test_time_spent_on_reading_is_added_up_and_left_out(records):
    events = stored_events(records, "anna/quay")
    spent = StoredEvent("anna/quay", "", 0, "spent", b'{"reading_mongodb": 30}')
    milliseconds: Counter[str] = Counter()

    assert events == list(only_events([spent, spent, *events], Counter(), milliseconds))
    assert {"reading_mongodb": 60} == milliseconds


def test_recent_pull_requests_are_parsed_once_and_bounded(records, monkeypatch):
    events = [event for event in stored_events(records, "octo/harbour") if event.kind == "opened"]
    monkeypatch.setattr(fold, "RECENT_BYTES", 2 * max(len(event.content) for event in events))
    recent = RecentPullRequests()

    parsed = [recent.parse(event) for event in events]

    assert recent.size <= fold.RECENT_BYTES
    assert parsed[-1] is recent.parse(events[-1])
    assert parsed[0] == recent.parse(events[0]) and parsed[0] is not recent.parse(events[0])
