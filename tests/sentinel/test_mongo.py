"""The store, on a real server."""

import re
import socket
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from pymongo.errors import OperationFailure
from structlog.testing import capture_logs

from sentinel.errors import SettingsError, UnavailableError
from sentinel.mongo import open_pull_request_store, to_document, to_payload
from sentinel.pull_request import ChangedFile, Outcome, PullRequest, PullRequestRecord, parse_pull_request
from sentinel.pull_request_document import VALIDATOR
from sentinel.settings import MongoSettings
from sentinel.sources.page import Page, RejectedRecord
from sentinel.stored_hashes import ANY_NUMBER, of_repository

HARBOUR = "octo/harbour"
MONDAY = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


def record(number: int, title: str = "Mend the crane", updated_at: datetime | None = MONDAY,
           files: tuple[ChangedFile, ...] | None = ()) -> PullRequestRecord:
    opened = PullRequest(HARBOUR, number, title, MONDAY, author="ada", files=files)
    return PullRequestRecord(opened, Outcome(updated_at))


def page(*records: PullRequestRecord, rejected: tuple[RejectedRecord, ...] = ()) -> Page:
    return Page(HARBOUR, records, rejected)


@pytest.fixture(params=["mongodb_uri", "mongo_java_server_uri"])
def settings(request, mongodb_database):
    """Each test runs on two independent servers."""
    return MongoSettings(mongodb_uri=request.getfixturevalue(request.param), mongodb_database=mongodb_database)


@pytest.fixture
def store(settings):
    with open_pull_request_store(settings) as opened:
        opened.prepare()
        yield opened


def stored(store) -> dict[int, PullRequestRecord]:
    records = [parse_pull_request(to_payload(document)) for document in store.read(HARBOUR)]
    return {one.pull_request.number: one for one in records}


def rejections(store) -> dict[str, str]:
    return {found["place"]: found["reason"] for found in store._rejected.find({})}


def test_stored_records_are_read_back_equal(store):
    odd = record(2, "a\0b\u2028 \x1b[31m 🦀 $set", files=(ChangedFile("a\nb", mode="100755", patch="@@\n+x"),))

    counts = store.save_page(page(record(1), odd))

    assert (2, 0, 0) == (counts.new, counts.changed, counts.unchanged)
    assert {1: record(1), 2: odd} == stored(store)


def test_same_page_again_writes_nothing(store):
    store.save_page(page(record(1), record(2)))

    counts = store.save_page(page(record(1), record(2)))

    assert (0, 0, 2) == (counts.new, counts.changed, counts.unchanged)


def test_changed_record_replaces_the_stored_one(store):
    store.save_page(page(record(1), record(2)))

    counts = store.save_page(page(record(1, "Mend both cranes"), record(2)))

    assert (0, 1, 1) == (counts.new, counts.changed, counts.unchanged)
    assert "Mend both cranes" == stored(store)[1].pull_request.title


def test_record_older_than_the_stored_one_is_not_written(store):
    store.save_page(page(record(1, "later", MONDAY.replace(hour=10))))

    counts = store.save_page(page(record(1, "earlier", MONDAY)))

    assert (0, 0, 1) == (counts.new, counts.changed, counts.unchanged)
    assert "later" == stored(store)[1].pull_request.title


def test_record_without_a_time_of_update_is_written(store):
    store.save_page(page(record(1, "first")))

    store.save_page(page(record(1, "second", None)))

    assert "second" == stored(store)[1].pull_request.title


def test_known_numbers_among_new_ones_are_found_again(store):
    """A page after one that was all new is inserted without looking first."""
    store.save_page(page(record(1), record(2, updated_at=MONDAY.replace(hour=10))))

    counts = store.save_page(page(record(1, "Mend both"), record(2, "earlier"), record(3)))
    again = store.save_page(page(record(3), record(4)))

    assert (1, 1, 1) == (counts.new, counts.changed, counts.unchanged)
    assert (1, 0, 1) == (again.new, again.changed, again.unchanged)
    titles = {number: one.pull_request.title for number, one in stored(store).items()}
    assert {1: "Mend both", 2: "Mend the crane", 3: "Mend the crane", 4: "Mend the crane"} == titles


@pytest.mark.parametrize("numbers_before", [(), (1, 2)], ids=["looked first", "inserted first"])
def test_document_that_the_server_refuses_does_not_sink_its_page(store, numbers_before):
    store._pull_requests.create_index("title", unique=True)
    store.save_page(page(*(record(number, f"before {number}") for number in numbers_before)))

    counts = store.save_page(page(record(7), record(8), record(9, "Paint the crane")))

    assert (2, 0, 0, 1) == (counts.new, counts.changed, counts.unchanged, counts.rejected)
    assert {*numbers_before, 9} < stored(store).keys()
    assert all("MongoDB refused it" in reason for reason in rejections(store).values())


def test_validator_is_set_or_told_not_to_be(store):
    with capture_logs() as events:
        store.prepare()

    is_kept = store._pull_requests.options().get("validator") == VALIDATOR
    outcomes = [one["outcome"] for one in events if one["event"] == "mongodb.validator_set"]
    assert is_kept and not outcomes or outcomes in (["ignored"], ["refused"])


def test_number_twice_in_a_page_is_one_document(store):
    counts = store.save_page(page(record(1, "first"), record(1, "second")))

    assert (1, 0, 1) == (counts.new, counts.changed, counts.unchanged)
    assert "second" == stored(store)[1].pull_request.title


def test_rejected_records_are_kept_with_their_reason(store):
    counts = store.save_page(page(record(1), rejected=(RejectedRecord("prs.jsonl:7", "no number \udc80", "{}"),)))

    assert (1, 1) == (counts.new, counts.rejected)
    assert {"prs.jsonl:7": "no number ?"} == rejections(store)


@pytest.mark.parametrize("reject", [
    RejectedRecord("octo/harbour#1", "no title", "{}"),
    RejectedRecord("prs.jsonl:7", "no title", "{}", key="octo/harbour#1"),
])
def test_rejection_is_dropped_when_the_pull_request_is_stored(store, reject):
    other = RejectedRecord("octo/harbour#2", "no title", "{}")
    store.save_page(page(rejected=(reject, other)))

    store.save_page(page(record(1)))

    assert {"octo/harbour#2": "no title"} == rejections(store)


def test_too_large_document_loses_its_patches(store):
    patches = tuple(ChangedFile(f"{n}.txt", additions=n, patch="ß" * 1_000_000) for n in range(8))

    counts = store.save_page(page(record(1, files=patches), record(2)))

    assert (2, 0) == (counts.new, counts.rejected)
    assert {(None, True)} == {(file.patch, file.is_patch_cut) for file in stored(store)[1].pull_request.files}
    assert 2 == stored(store)[1].pull_request.files[2].additions


def test_document_too_large_without_patches_is_rejected_alone(store):
    files = tuple(ChangedFile("🦀" * 2_000 + str(n)) for n in range(2_000))

    counts = store.save_page(page(record(1, files=files), record(2)))

    assert (1, 1) == (counts.new, counts.rejected)
    assert [2] == list(stored(store))
    assert "too large" in rejections(store)["octo/harbour#1"]


def test_cursor_is_read_back_per_source_and_repository(store):
    store.save_cursor("git:.", HARBOUR, {"commit": "abc", "patches": True})

    assert {"commit": "abc", "patches": True} == store.saved_cursor("git:.", HARBOUR)
    assert store.saved_cursor("github:octo/harbour", HARBOUR) is None


def test_content_hashes_tell_which_records_are_stored(store):
    store.save_page(page(record(1)))

    assert [(HARBOUR, "octo/harbour#1", to_document(record(1))["content_hash"])] == list(store.content_hashes())


def test_content_hash_changes_with_the_content():
    changed = replace(record(1), outcome=Outcome(MONDAY, merged_at=MONDAY))

    assert to_document(record(1))["content_hash"] != to_document(changed)["content_hash"]


def test_server_that_is_away_is_unavailable_within_the_budget(free_port):
    settings = MongoSettings(mongodb_uri=f"mongodb://127.0.0.1:{free_port}", mongodb_budget_seconds=0.3)

    with pytest.raises(UnavailableError, match="could not store pull requests.*MONGODB_URI") as caught:
        with open_pull_request_store(settings) as store:
            store.save_page(page(record(1)))

    assert re.search(r"Timeout: 0\.[0-3]\d*s", str(caught.value.__cause__))  # how long the driver looked for it


def test_silent_server_is_named_and_its_password_is_not():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        settings = MongoSettings(mongodb_uri=f"mongodb://ada:secret@{address}", mongodb_budget_seconds=0.3)

        with pytest.raises(UnavailableError, match=address) as caught:
            with open_pull_request_store(settings) as store:
                store.save_page(page(record(1)))

    assert "secret" not in str(caught.value)


def test_address_that_is_none_is_a_setting_to_fix():
    with pytest.raises(SettingsError, match="expected mongodb://HOST:PORT") as caught:
        with open_pull_request_store(MongoSettings(mongodb_uri="postgres://ada:secret@host")):
            pass

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("wanted", [
    {"_id": {"$in": ["octo/harbour#1"]}}, of_repository(HARBOUR), {**of_repository(HARBOUR), "number": ANY_NUMBER},
])
def test_reads_use_an_index(store, wanted):
    """Servers say it in their own words."""
    store.save_page(page(record(1)))
    try:
        plan = str(store._pull_requests.find(wanted).explain()["queryPlanner"]["winningPlan"])
    except OperationFailure as error:
        assert "no such command" in str(error)
        pytest.skip("mongo-java-server has no explain")

    assert "USING INDEX" in plan or "IXSCAN" in plan or "IDHACK" in plan
