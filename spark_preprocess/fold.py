"""The fold of every repository's events, in order of time, into features and histories."""

from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from operator import attrgetter

import orjson
import pyarrow

from sentinel.history import Event, RepositoryHistory
from sentinel.pull_request import PullRequest, parse_pull_request
from spark_preprocess.mongo_partitions import REJECTED
from spark_preprocess.time_spent import SPENT

RECENT_BYTES = 32 * 2**20


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One row as it arrives: an event whose pull request is not parsed yet, or the reason of a rejection."""

    repository: str
    at: str
    number: int
    kind: str
    content: bytes


@dataclass(frozen=True, slots=True)
class FeatureRow:
    """The vector of one pull request at its opening."""

    pull_request: PullRequest
    is_warm_up: bool  # the history knew too little to say what is usual
    features: tuple[float, ...]


@dataclass(slots=True)
class RecentPullRequests:
    """The pull requests parsed last, so that one merged soon after its opening is parsed once."""

    size: int = 0
    _kept: OrderedDict[int, tuple[PullRequest, int]] = field(default_factory=OrderedDict)

    def parse(self, row: StoredEvent) -> PullRequest:
        """Return the pull request of `row`; beyond some megabytes the oldest are forgotten."""
        found = self._kept.pop(row.number, None)
        if found is not None:
            self.size -= found[1]
            return found[0]
        pull_request = parse_pull_request(orjson.loads(row.content)).pull_request
        self._kept[row.number] = pull_request, len(row.content)
        self.size += len(row.content)
        while self.size > RECENT_BYTES:
            self.size -= self._kept.popitem(last=False)[1][1]
        return pull_request


def fold_repository(history: RepositoryHistory, rows: Iterable[StoredEvent]) -> Iterator[FeatureRow]:
    """Yield a row per opened pull request, seen before its own event is added to `history`."""
    recent = RecentPullRequests()
    for row in rows:
        pull_request = recent.parse(row)
        if row.kind == "opened":
            yield FeatureRow(pull_request, not history.is_warm, history.features(pull_request))
        history.observe(Event(row.kind, datetime.fromisoformat(row.at), pull_request))  # type: ignore[arg-type]


def by_repository(rows: Iterable[StoredEvent]) -> Iterator[tuple[str, Iterator[StoredEvent]]]:
    """Group rows that come sorted by repository."""
    return groupby(rows, key=attrgetter("repository"))


def only_events(rows: Iterable[StoredEvent], reasons: Counter[str], milliseconds: Counter[str],
                ) -> Iterator[StoredEvent]:
    """Yield the events; rejections are counted in `reasons` by the field that was wrong, time in `milliseconds`."""
    for row in rows:
        if row.kind == REJECTED:
            reasons[row.content.decode().partition(":")[0]] += 1
        elif row.kind == SPENT:
            milliseconds.update(orjson.loads(row.content))
        else:
            yield row


def read_rows(batches: Iterable[pyarrow.RecordBatch]) -> Iterator[StoredEvent]:
    """Yield the rows of Arrow batches one by one; one batch is in memory at a time."""
    for batch in batches:
        columns = [batch.column(name).to_pylist() for name in ("repository", "at", "number", "kind", "content")]
        for values in zip(*columns):
            yield StoredEvent(*values)
