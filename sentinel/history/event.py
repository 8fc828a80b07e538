"""What happens to a pull request over time: it is opened, and it is merged or closed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sentinel.pull_request import PullRequest, PullRequestRecord

EventKind = Literal["opened", "merged", "closed"]
_RANK = {"opened": 0, "merged": 1, "closed": 2}


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to `pull_request` at `at` (UTC)."""

    kind: EventKind
    at: datetime
    pull_request: PullRequest

    @property
    def sort_key(self) -> tuple[datetime, int, int]:
        """Order events by time, then opened before merged before closed, then by number."""
        return self.at, _RANK[self.kind], self.pull_request.number


def events_of(record: PullRequestRecord) -> list[Event]:
    """Return the events of one record, in order of time; a merged pull request has no closed event."""
    pull_request, outcome = record.pull_request, record.outcome
    events = [Event("opened", pull_request.opened_at, pull_request)]
    if outcome.merged_at is not None:
        events.append(Event("merged", outcome.merged_at, pull_request))
    elif outcome.closed_at is not None:
        events.append(Event("closed", outcome.closed_at, pull_request))
    return sorted(events, key=lambda event: event.sort_key)
