"""What executors count about the quality of the rows they write; rows never leave them, counts do."""

from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from sentinel.features import CATALOGUE
from sentinel.pull_request import PullRequest

CLOCK_DRIFT = timedelta(hours=1)  # between this machine and the one that stamped the pull request
GIT_BEGAN_AT = datetime(2005, 4, 7, tzinfo=UTC)  # the first commit of git; what is older has a wrong clock
ROUNDING = 1e-9
_LOWEST = np.array([feature.lowest for feature in CATALOGUE]) - ROUNDING
_HIGHEST = np.array([feature.highest for feature in CATALOGUE]) + ROUNDING


@dataclass(frozen=True, slots=True)
class FeatureCounts:
    """What was seen of every feature, in the catalogue's order, in `n_rows` rows."""

    n_rows: int
    unknown: tuple[int, ...]
    infinite: tuple[int, ...]
    outside: tuple[int, ...]  # below the feature's lowest or above its highest
    lowest: tuple[float | None, ...]  # None where no row knows it
    highest: tuple[float | None, ...]

    def __add__(self, other: "FeatureCounts") -> "FeatureCounts":
        """Add up the counts of two sets of rows."""
        def summed(name: str) -> tuple[int, ...]:
            return tuple(map(sum, zip(getattr(self, name), getattr(other, name), strict=True)))

        def most(name: str, choose: Any) -> tuple[float | None, ...]:
            pairs = zip(getattr(self, name), getattr(other, name), strict=True)
            return tuple(choose((value for value in pair if value is not None), default=None) for pair in pairs)

        return FeatureCounts(self.n_rows + other.n_rows, summed("unknown"), summed("infinite"), summed("outside"),
                             most("lowest", min), most("highest", max))


def count_features(rows: Iterable[tuple[float, ...]]) -> FeatureCounts:
    """Count what is unknown, infinite and outside the catalogue's range in vectors."""
    matrix: NDArray[np.float64] = np.array(list(rows), dtype=np.float64).reshape(-1, len(CATALOGUE))
    unknown, infinite = np.isnan(matrix), np.isinf(matrix)
    outside = (matrix < _LOWEST) | (matrix > _HIGHEST)  # never for NaN
    known = ~unknown.all(axis=0)

    def extremes(values: NDArray[np.float64]) -> tuple[float | None, ...]:
        return tuple(float(value) if is_known else None for value, is_known in zip(values, known))

    return FeatureCounts(
        len(matrix), _to_counts(unknown), _to_counts(infinite), _to_counts(outside),
        extremes(np.fmin.reduce(matrix, axis=0, initial=np.inf)),
        extremes(np.fmax.reduce(matrix, axis=0, initial=-np.inf)))


@dataclass(frozen=True, slots=True)
class RepositoryCounts:
    """What was seen of the pull requests of one repository."""

    repository: str
    n_rows: int
    duplicates: int  # rows beyond the first of a number
    future: int
    ancient: int
    by_top_author: int  # rows of the author with most; unknown authors are none
    top_author: str | None
    on_top_day: int
    top_day: str | None


@dataclass(slots=True)
class RepositoryCounter:
    """The counts of one repository while its rows pass, a few bytes a row."""

    repository: str
    now: datetime
    _numbers: "array[int]" = field(default_factory=lambda: array("q"))
    _authors: Counter[str] = field(default_factory=Counter)
    _days: Counter[date] = field(default_factory=Counter)
    _future: int = 0
    _ancient: int = 0

    def add(self, pull_request: PullRequest) -> None:
        """Count one row."""
        self._numbers.append(pull_request.number)
        self._days[pull_request.opened_at.date()] += 1
        if pull_request.author is not None:
            self._authors[pull_request.author] += 1
        self._future += pull_request.opened_at > self.now + CLOCK_DRIFT
        self._ancient += pull_request.opened_at < GIT_BEGAN_AT

    def counts(self) -> RepositoryCounts:
        """Return what was counted."""
        author, by_author = _top(self._authors)
        day, on_day = _top(self._days)
        distinct = len(np.unique(np.frombuffer(self._numbers, dtype=np.int64))) if self._numbers else 0
        return RepositoryCounts(
            self.repository, len(self._numbers), len(self._numbers) - distinct, self._future, self._ancient,
            by_author, author, on_day, None if day is None else day.isoformat())


def to_json(counts: FeatureCounts | RepositoryCounts) -> str:
    """Return counts as they travel to the driver."""
    return orjson.dumps(asdict(counts)).decode()


def features_of_json(text: str) -> FeatureCounts:
    """Read what `to_json` wrote of features."""
    fields = orjson.loads(text)
    return FeatureCounts(**{name: tuple(value) if isinstance(value, list) else value
                            for name, value in fields.items()})


def repository_of_json(text: str) -> RepositoryCounts:
    """Read what `to_json` wrote of a repository."""
    return RepositoryCounts(**orjson.loads(text))


def _to_counts(flags: NDArray[np.bool_]) -> tuple[int, ...]:
    return tuple(int(count) for count in flags.sum(axis=0))


def _top(counter: Counter[Any]) -> tuple[Any, int]:
    """Return the most frequent key and its count; of equals the smallest, whatever their order."""
    most = max(counter.values(), default=0)
    return min((key for key, count in counter.items() if count == most), default=None), most
