"""The walk over a repository's pull requests, against the simulated GitHub."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from sentinel.errors import NotFoundError, UnavailableError
from sentinel.sources.simulated import FaultPlan, open_simulated
from sentinel.sources.simulated.faults import Fault

HARBOUR = "saltmarsh/harbour"


def later(minutes: float = 30) -> datetime:
    return (datetime.now(UTC) + timedelta(minutes=minutes)).replace(microsecond=0)


def test_all_pull_requests_are_read_as_they_are(serve_github):
    reader = serve_github(450)

    assert 450 == reader.run()
    assert reader.is_complete
    assert any(record.pull_request.changed_files > 100 for record in reader.records.values())


def test_deleted_author_deleted_fork_null_body_and_emoji_are_kept(serve_github):
    reader = serve_github(3)
    harbour = reader.github.repositories[HARBOUR]
    harbour.edit(1, later(), author=None, author_kind="User", head_repository=None, is_from_fork=True, body=None,
                 title="\U0001f6a2 \x07 \u202e")
    reader.run()

    kept = reader.records[f"{HARBOUR}#1"].pull_request
    assert (None, None, True, None) == (kept.author, kept.head_repository, kept.is_from_fork, kept.body)
    assert reader.is_complete


def test_total_grows_with_each_repository_of_the_source():
    settings = SimpleNamespace(github_budget_seconds=60.0)
    with open_simulated(settings) as source:
        totals = [page.total for page in source.pages(lambda repository: None)]

    assert [1_500] * 15 + [2_200] * 7 == totals


def test_total_is_left_out_when_the_first_walk_goes_on(serve_github):
    """It counts what is stored already too, so the time left would be told too long."""
    reader = serve_github(350)
    reader.run(max_pages=2)

    assert [350, 350] == reader.totals

    reader.run()

    assert [350, 350, None, None, None] == reader.totals


def test_a_thousand_pull_requests_cost_ten_requests_without_files(serve_github):
    reader = serve_github(1_000)
    reader.run(with_files=False)

    assert {"PullRequests": 10} == reader.github.requests
    assert all(record.pull_request.files is None for record in reader.records.values())


def test_second_run_asks_once_and_brings_nothing(serve_github):
    reader = serve_github()
    reader.run()
    reader.github.requests.clear()

    assert 0 == reader.run()
    assert {"PullRequests": 1} == reader.github.requests


def test_reading_goes_on_behind_the_last_page(serve_github):
    reader = serve_github(350)
    reader.run(max_pages=2)

    assert 150 == reader.run()
    assert reader.is_complete


def test_closed_pull_request_that_changes_later_is_refreshed(serve_github):
    reader = serve_github()
    reader.run()
    number = next(record.pull_request.number for record in reader.records.values() if record.outcome.is_merged)
    reader.github.repositories[HARBOUR].edit(number, later(), title="Another title")

    assert 1 == reader.run()
    assert "Another title" == reader.records[f"{HARBOUR}#{number}"].pull_request.title


def test_ties_in_the_second_of_the_high_water_are_read(serve_github):
    reader, moment = serve_github(), later()
    harbour = reader.github.repositories[HARBOUR]
    reader.run()
    first, second = (record.pull_request.number for record in list(reader.records.values())[:2])
    harbour.edit(first, moment, title="One")
    reader.run()
    harbour.edit(second, moment, title="Two")
    reader.run()

    assert reader.is_complete


def test_long_catch_up_is_resumed_and_changes_meanwhile_are_not_lost(serve_github):
    reader = serve_github(400)
    harbour = reader.github.repositories[HARBOUR]
    reader.run()
    numbers = [record.pull_request.number for record in reader.records.values()]
    for place, number in enumerate(numbers[:350]):
        harbour.edit(number, later(30 + place), title=f"Edit {number}")
    reader.run(max_pages=1)
    for number in numbers[:5]:  # at the far end of the walk: they jump over what is still to be read
        harbour.edit(number, later(600), title="Edited again")
    harbour.open_another(later(601))
    reader.run()

    assert reader.is_complete
    assert 6 == reader.run()  # of the last five minutes; the rest of the catch-up is done


def test_what_is_opened_during_the_first_walk_is_read(serve_github):
    reader = serve_github()
    reader.run(max_pages=1)
    reader.github.repositories[HARBOUR].open_another(later())
    reader.run()

    assert reader.is_complete


def test_first_walk_that_was_cut_off_catches_up_at_once(serve_github):
    reader = serve_github()
    reader.run(max_pages=1)
    reader.github.repositories[HARBOUR].edit(1, later(), title="Edited behind the cursor")
    reader.run()

    assert reader.is_complete


def test_page_is_halved_when_github_cannot_manage_and_size_is_remembered(serve_github):
    reader = serve_github(300, FaultPlan(heaviest_page_with_files=30))
    reader.run(max_pages=2)

    assert 25 == reader.cursors[HARBOUR]["page_size"]

    reader.run()

    assert reader.is_complete


def test_page_grows_again_after_quick_pages(serve_github):
    reader = serve_github(1_200, FaultPlan(by_request={1: Fault.BAD_GATEWAY, 2: Fault.GATEWAY_TIMEOUT}))
    reader.run(with_files=False)

    assert 100 == reader.cursors[HARBOUR]["page_size"]


def test_files_come_by_rest_when_graphql_cannot_give_them(serve_github):
    reader = serve_github(3, FaultPlan(heaviest_page_with_files=0))
    reader.run()

    assert reader.is_complete
    assert 3 == reader.github.requests["REST pulls/N/files"]


def test_refused_cursor_begins_the_walk_anew(serve_github):
    reader = serve_github(350, FaultPlan(by_request={3: Fault.REFUSED_CURSOR}))
    reader.run()

    assert reader.is_complete


def test_only_what_changed_since_is_read_and_no_cursor_is_kept(serve_github):
    reader, since = serve_github(), later(60)
    harbour = reader.github.repositories[HARBOUR]
    older, first, newest = harbour.numbers("all")[:3]
    for number, at in ((older, since - timedelta(seconds=1)), (first, since), (newest, since + timedelta(days=1))):
        harbour.edit(number, at, title=f"Edit {number}")

    assert 2 == reader.run(since=since)
    assert [f"{HARBOUR}#{newest}", f"{HARBOUR}#{first}"] == list(reader.records)
    assert ({}, {"PullRequests": 1}) == (reader.cursors, reader.github.requests)

    reader.run()

    assert reader.is_complete


def test_since_reads_every_page_down_to_its_time(serve_github):
    reader = serve_github(450)
    times = sorted(record.outcome.updated_at for record in reader.github.repositories[HARBOUR].records())

    assert 251 == reader.run(since=times[-251])
    assert 3 == reader.github.requests["PullRequests"]


@pytest.mark.parametrize("n_pages_before", [1, 10])
def test_since_leaves_alone_how_far_the_repository_is_read(serve_github, n_pages_before):
    """Neither an unfinished first walk nor a finished one is asked, moved or marked as complete."""
    reader = serve_github(350)
    reader.run(max_pages=n_pages_before)
    reader.github.repositories[HARBOUR].edit(1, later(30), title="Before")
    reader.github.repositories[HARBOUR].edit(2, later(90), title="After")
    before = dict(reader.cursors)

    assert 1 == reader.run(since=later(60))
    assert before == reader.cursors

    reader.run()

    assert reader.is_complete


READ_TO_2099 = {"version": 1, "page_size": 100, "after": None, "started_at": None, "top": None,
                "high_water": "2099-01-01T00:00:00+00:00"}


@pytest.mark.parametrize("cursor", [{}, READ_TO_2099 | {"version": 99}, READ_TO_2099 | {"page_size": "many"}])
def test_cursor_of_another_version_means_reading_all(serve_github, cursor):
    reader = serve_github()
    reader.cursors[HARBOUR] = cursor

    assert 250 == reader.run()


def test_renamed_repository_is_read_under_its_new_name(serve_github):
    reader = serve_github(120)
    reader.github.rename(HARBOUR, "saltmarsh/haven")
    reader.run()

    assert reader.is_complete
    assert ["saltmarsh/haven"] == list(reader.cursors)

    assert 0 == reader.run()


def test_repository_that_the_token_may_not_see_is_not_found(serve_github):
    reader = serve_github()
    reader.github.hidden.add(HARBOUR)

    with pytest.raises(NotFoundError, match="Pull requests: read"):
        reader.run()


def test_fork_that_the_token_may_not_see_costs_no_record(serve_github):
    reader = serve_github(150, FaultPlan(by_request={1: Fault.FORBIDDEN_FORK}))
    reader.run()

    assert (150, []) == (len(reader.records), reader.rejected)


def test_lost_pull_request_is_asked_for_again(serve_github):
    reader = serve_github(150, FaultPlan(by_request={1: Fault.LOST_NODE}))
    reader.run()

    assert reader.is_complete


def test_pull_request_lost_for_good_is_rejected_with_the_reason(serve_github):
    reader = serve_github(150, FaultPlan(always=Fault.LOST_NODE))
    reader.run()

    assert 148 == len(reader.records)
    assert ["GitHub could not tell all of it: Something is wrong with this one"] * 2 == [
        rejected.reason for rejected in reader.rejected]


def test_budget_ends_the_run_and_the_cursor_stays_good(serve_github):
    reader = serve_github(350, FaultPlan(by_request={n: Fault.UNAVAILABLE for n in range(3, 60)}))

    with pytest.raises(UnavailableError, match="run it again"):
        reader.run(budget_seconds=100, with_files=False)

    reader.github.n_requests = 100  # the failures planned are over
    reader.run(with_files=False)

    assert 350 == len(reader.records)
