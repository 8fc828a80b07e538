"""Leave out what did not change since a time, of sources that give everything."""

from dataclasses import replace
from datetime import datetime

from sentinel.pull_request import PullRequestRecord
from sentinel.sources.page import Page


def without_older(page: Page, since: datetime) -> tuple[Page, int]:
    """Return a page with what changed at `since` or later, and how many records it lost.

    What could not be read stays: nobody knows when it changed.
    """
    records = tuple(record for record in page.records if changed_at(record) >= since)
    return replace(page, records=records), len(page.records) - len(records)


def changed_at(record: PullRequestRecord) -> datetime:
    """Return when a pull request was updated, or the latest of its times where the source does not tell."""
    outcome = record.outcome
    times = (record.pull_request.opened_at, outcome.merged_at, outcome.closed_at)
    return outcome.updated_at or max(time for time in times if time is not None)
