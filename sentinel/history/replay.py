"""Fold records in order of time into rows of features, each from what came before it."""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sentinel.history import Event, RepositoryHistory, events_of
from sentinel.pull_request import PullRequest, PullRequestRecord


@dataclass(frozen=True, slots=True)
class ReplayedRow:
    """A pull request with its features as of its opening; `index` is its place in the source."""

    index: int
    pull_request: PullRequest
    sha: str | None
    values: NDArray[np.float64]  # (n_features,)
    warm_up: bool


def replay_features(indexed: Iterable[tuple[int, PullRequestRecord]]) -> Iterator[ReplayedRow]:
    """Yield a row per record, in the given order; outcomes count from the moment when they were known."""
    yield from (row for row, _ in replay_histories(indexed))


def replay_histories(indexed: Iterable[tuple[int, PullRequestRecord]],
                     ) -> Iterator[tuple[ReplayedRow, RepositoryHistory]]:
    """Yield each row with its repository's history as it was at the opening; it goes on when the next row is asked."""
    histories: dict[str, RepositoryHistory] = {}
    outcomes: list[tuple[tuple[object, ...], Event]] = []
    for index, record in indexed:
        pull_request = record.pull_request
        while outcomes and outcomes[0][1].at <= pull_request.opened_at:
            event = heapq.heappop(outcomes)[1]
            histories[event.pull_request.repository].observe(event)
        history = histories.setdefault(pull_request.repository, RepositoryHistory(pull_request.repository))
        values = np.array(history.features(pull_request), dtype=np.float64)
        yield ReplayedRow(index, pull_request, pull_request.head_sha or record.outcome.merge_commit_sha, values,
                          not history.is_warm), history
        for event in events_of(record):
            if event.kind == "opened":
                history.observe(event)
            else:
                heapq.heappush(outcomes, ((event.sort_key, index), event))
