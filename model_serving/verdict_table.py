"""The verdicts of all known pull requests, ranked per repository, read from one parquet file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

import numpy as np
import pyarrow
import pyarrow.compute
import pyarrow.parquet
from numpy.typing import NDArray

from sentinel.errors import CorruptFileError
from sentinel.judged import JudgedPullRequest, read_row, to_utc

Order = Literal["unusual", "newest", "largest"]
ORDERS: tuple[Order, ...] = get_args(Order)


@dataclass(frozen=True, slots=True)
class RepositorySummary:
    """How much of a repository stands out; pull requests of its warm-up are not counted."""

    name: str
    n_pull_requests: int
    n_unusual: int
    threshold: float
    opened_until: datetime


@dataclass(frozen=True, slots=True)
class Filters:
    """Which pull requests to rank, and in which order; None does not filter."""

    repository: str | None = None
    order: Order = "unusual"
    only_unusual: bool = False
    days: int | None = None  # before the newest one there
    search: str = ""


@dataclass(frozen=True, slots=True)
class Ranking:
    """One page of a ranking; `first` is the place of its first row, from 1."""

    rows: tuple[JudgedPullRequest, ...]
    first: int
    total: int
    next_after: str | None


class VerdictTable:
    """Answer rankings from the columns; rows become objects only when they are shown."""

    def __init__(self, table: pyarrow.Table) -> None:
        """Keep the columns that filters and orders read as arrays."""
        self._table = table
        self._scores: NDArray[np.float64] = table["score"].to_numpy().astype(np.float64)
        self._opened: NDArray[np.datetime64] = table["opened_at"].to_numpy().astype("datetime64[us]")
        self._sizes = table["additions"].to_numpy() + table["deletions"].to_numpy()
        self._numbers = table["number"].to_numpy()
        self._unusual = table["is_unusual"].to_numpy()
        self._told = ~table["warm_up"].to_numpy() & ~np.isnan(self._scores)
        self._thresholds = table["threshold"].to_numpy()
        encoded = table["repository"].combine_chunks().dictionary_encode()
        self._names = [str(name) for name in encoded.dictionary.to_pylist()]
        self._codes = encoded.indices.to_numpy()
        self._code_by_name: Mapping[str, int] = {name.lower(): code for code, name in enumerate(self._names)}

    @classmethod
    def from_bytes(cls, content: bytes) -> "VerdictTable":
        """Read a parquet file; raises CorruptFileError for one of another kind."""
        try:
            return cls(pyarrow.parquet.read_table(pyarrow.BufferReader(content)))
        except (pyarrow.ArrowException, KeyError) as error:
            raise CorruptFileError(f"verdicts: no table of verdicts ({error}); run ml_training again") from error

    def repositories(self) -> list[RepositorySummary]:
        """Return a summary of each repository, by name."""
        return [self._summary(code) for code in sorted(range(len(self._names)), key=lambda code: self._names[code])]

    def name_of(self, repository: str) -> str | None:
        """Return the repository's name as it is written here, or None; case does not count."""
        code = self._code_by_name.get(repository.lower())
        return None if code is None else self._names[code]

    def rank(self, filters: Filters, limit: int, after: str | None = None) -> Ranking | None:
        """Return up to `limit` rows after the pull request `after` (OWNER/NAME#N); None where it is not among them."""
        chosen = self._ordered(np.flatnonzero(self._mask(filters)), filters.order)
        start = 0 if after is None else self._place_after(chosen, after)
        if start is None:
            return None
        shown = chosen[start:start + limit]
        has_more = start + limit < len(chosen)
        rows = tuple(self._rows(shown))
        return Ranking(rows, start + 1, len(chosen), rows[-1].name if rows and has_more else None)

    def find(self, repository: str, number: int) -> JudgedPullRequest | None:
        """Return the verdict of one pull request, or None."""
        code = self._code_by_name.get(repository.lower())
        found = [] if code is None else np.flatnonzero((self._codes == code) & (self._numbers == number))
        return next(iter(self._rows(found[:1])), None) if len(found) else None

    def scores_of(self, repository: str | None) -> NDArray[np.float64]:
        """Return the scores of a repository, or of all, without the warm-up."""
        return self._scores[self._mask(Filters(repository))]

    def _mask(self, filters: Filters) -> NDArray[np.bool_]:
        mask = self._told
        if filters.repository is not None:
            mask = mask & (self._codes == self._code_by_name.get(filters.repository.lower(), -1))
        if filters.only_unusual:
            mask = mask & self._unusual
        if filters.days is not None and mask.any():
            mask = mask & (self._opened >= self._opened[mask].max() - np.timedelta64(filters.days, "D"))
        if filters.search:
            mask = mask & self._matches(filters.search)
        return mask

    def _matches(self, text: str) -> NDArray[np.bool_]:
        found = [pyarrow.compute.match_substring(self._table[name], text, ignore_case=True).fill_null(False)
                 for name in ("title", "author")]
        matches: NDArray[np.bool_] = found[0].to_numpy() | found[1].to_numpy()
        if text.lstrip("#").isdecimal() and len(text) < 16:
            matches = matches | (self._numbers == int(text.lstrip("#")))
        return matches

    def _ordered(self, chosen: NDArray[np.int64], order: Order) -> NDArray[np.int64]:
        """Order rows, the first to be shown first; ties by repository and number."""
        keys = {"unusual": -self._scores, "newest": -self._opened.astype(np.int64), "largest": -self._sizes}
        return chosen[np.lexsort((self._numbers[chosen], self._codes[chosen], keys[order][chosen]))]

    def _place_after(self, chosen: NDArray[np.int64], after: str) -> int | None:
        repository, _, number = after.rpartition("#")
        if not number.isdecimal() or len(number) > 16:
            return None
        code = self._code_by_name.get(repository.lower(), -1)
        found = np.flatnonzero((self._codes[chosen] == code) & (self._numbers[chosen] == int(number)))
        return int(found[0]) + 1 if len(found) else None

    def _summary(self, code: int) -> RepositorySummary:
        of_code = self._codes == code
        told = of_code & self._told
        return RepositorySummary(
            self._names[code], int(told.sum()), int((told & self._unusual).sum()),
            float(self._thresholds[of_code][0]), to_utc(self._opened[of_code].max().item()),
        )

    def _rows(self, places: Sequence[int] | NDArray[np.int64]) -> list[JudgedPullRequest]:
        return [read_row(row) for row in self._table.take(pyarrow.array(places, pyarrow.int64())).to_pylist()]
