"""Runs that read only what changed since a time, from each kind of source into a real server."""

from datetime import UTC, datetime, timedelta

import orjson
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from data_fetch.changed_since import without_older
from data_fetch.fetch_github_data import fetch_all
from sentinel.mongo import open_pull_request_store
from sentinel.pull_request import parse_pull_request
from sentinel.sources.page import Page, RejectedRecord
from tests.data_fetch.conftest import TOKEN
from tests.sources.git_builder import History

SINCE = datetime(2026, 1, 3, tzinfo=UTC)  # when the second commit of a History lands
NAME = "saltmarsh/ferry"


def payload(number: int, **times: str | None) -> dict:
    return {"number": number, "title": "Mend", "created_at": "2026-01-01T09:30:00Z", **times,
            "base": {"ref": "main", "repo": {"full_name": "octo/harbour"}}}


@pytest.fixture
def stored(settings):
    def read() -> set[str]:
        with open_pull_request_store(settings("simulated:")) as store:
            return {key for _, key, _ in store.content_hashes()}

    return read


@pytest.mark.parametrize("times, is_kept", [
    ({"updated_at": "2026-01-03T00:00:00Z"}, True),
    ({"updated_at": "2026-01-02T23:59:59Z", "created_at": "2026-01-01T00:00:00Z"}, False),
    ({"merged_at": "2026-01-03T00:00:01Z"}, True), ({"closed_at": "2026-01-02T00:00:00Z"}, False),
    ({"created_at": "2026-01-04T00:00:00Z"}, True), ({}, False),
])
def test_latest_time_that_is_known_of_a_record_decides(times, is_kept):
    page = Page("octo/harbour", (parse_pull_request(payload(1, **times)),))

    kept, n_skipped = without_older(page, SINCE)

    assert (is_kept, not is_kept) == (len(kept.records) == 1, n_skipped == 1)


def test_rejected_records_are_kept_whatever_their_time():
    page = Page("octo/harbour", (), (RejectedRecord("prs.jsonl:1", "no JSON", "{"),))

    assert (page, 0) == without_older(page, SINCE)


def test_older_lines_are_skipped_and_counted(settings, stored, tmp_path):
    older, newer = payload(1, updated_at="2026-01-02T00:00:00Z"), payload(2, updated_at="2026-01-04T00:00:00Z")
    (tmp_path / "prs.jsonl").write_bytes(b"\n".join(map(orjson.dumps, (older, newer))) + b"\n{\n")

    facts = fetch_all(settings(f"jsonl:{tmp_path}", since=SINCE, max_rejected_share=0.4))

    assert (3, 1, 1, 1) == tuple(facts[name] for name in ("read", "skipped", "new", "rejected"))
    assert {"octo/harbour#2"} == stored()


def test_clone_is_read_since_a_time_and_the_older_ones_by_the_next_run(settings, stored, tmp_path):
    history = History(tmp_path / "harbour")
    for number in (1, 2, 3):
        history.commit(f"Mend (#{number})", {"a": b"%d\n" % number})
    uri = f"git:{history.write()}"

    facts = fetch_all(settings(uri, since=SINCE))

    assert (3, 1, 2) == (facts["read"], facts["skipped"], facts["new"])
    assert {"local/harbour#2", "local/harbour#3"} == stored()

    facts = fetch_all(settings(uri))

    assert (1, 2, 0) == (facts["new"], facts["unchanged"], facts["skipped"])
    assert 0 == fetch_all(settings(uri))["read"]
    assert (3, 2) == (fetch_all(settings(uri, since=SINCE))["read"], fetch_all(settings(uri, since=SINCE))["unchanged"])


def test_repository_is_read_since_a_time_and_the_older_ones_by_the_next_run(settings, serve_github, stored):
    github, address = serve_github({NAME: 250})
    at = datetime.now(UTC) + timedelta(hours=1)
    github.repositories[NAME].edit(1, at, title="Changed")
    given = {"repositories": (NAME,), "github_api_url": address, "github_token": SecretStr(TOKEN)}

    facts = fetch_all(settings(since=at - timedelta(minutes=1), **given))

    assert (1, 1) == (facts["new"], facts["requests"])
    assert {f"{NAME}#1"} == stored()

    facts = fetch_all(settings(**given))

    assert (249, 1) == (facts["new"], facts["unchanged"])
    assert {record.pull_request.key for record in github.repositories[NAME].records()} == stored()


def test_nothing_new_since_a_time_is_no_reason_to_warn(settings, serve_github):
    _, address = serve_github({NAME: 5})

    with capture_logs() as events:
        fetch_all(settings(repositories=(NAME,), github_api_url=address, github_token=SecretStr(TOKEN),
                           since=datetime.now(UTC) + timedelta(days=1)))

    assert [("data_fetch.source_read", 0)] == [
        (one["event"], one["read"]) for one in events if one["event"].startswith("data_fetch.source")]
