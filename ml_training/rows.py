"""Rows of a table that may lie on disk: nothing here holds more than a piece of them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ml_training.scaling import Scaling
from sentinel.errors import DataUnusableError

Floats = NDArray[np.float64]
Places = NDArray[np.int64]

ROWS_AT_ONCE = 16_384  # 8 MB of 60 features, and a few times as much for what is computed of them
COLUMNS_AT_ONCE = 8  # read in one pass over the table
MOST_KEPT_VALUES = 2 ** 24  # scaled values that are kept rather than computed again: 134 MB


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows at `places`, ascending, of a table (n, n_features); NaN means absent."""

    table: Floats
    places: Places

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.places)

    @property
    def n_features(self) -> int:
        """Count the columns."""
        return int(self.table.shape[1])

    def take(self, places: Places) -> Floats:
        """Return the rows at `places` among these, (n_places, n_features)."""
        return self.table[self.places[places]]

    def pieces(self) -> Iterator[Floats]:
        """Yield all rows in order, (at most ROWS_AT_ONCE, n_features) at a time."""
        for start in range(0, len(self), ROWS_AT_ONCE):
            yield self.table[self.places[start:start + ROWS_AT_ONCE]]

    def columns(self) -> Iterator[Floats]:
        """Yield the present values of each column."""
        for start in range(0, self.n_features, COLUMNS_AT_ONCE):
            for column in self.table[self.places, start:start + COLUMNS_AT_ONCE].T:
                yield column[~np.isnan(column)]


def rows_of_table(X: ArrayLike | Rows, least_rows: int = 1) -> Rows:
    """Return X (n_rows, n_features) as rows; raises DataUnusableError for another shape or infinite values."""
    rows = X
    if not isinstance(rows, Rows):
        table = np.asarray(X, dtype=np.float64)
        if table.ndim != 2 or len(table) < least_rows or table.shape[1] < 1:
            raise DataUnusableError(f"table: seen shape {table.shape}, expected (n_rows, n_features), "
                                    "one at least of each")
        rows = Rows(table, np.arange(len(table)))
    n_infinite = sum(int(np.isinf(piece).sum()) for piece in rows.pieces())
    if n_infinite:
        raise DataUnusableError(f"table: seen {n_infinite} infinite values, expected finite ones or NaN where a value "
                                "is absent")
    return rows


class ScaledRows:
    """Rows brought to comparable units; of a large table they are computed anew at each pass."""

    def __init__(self, rows: Rows, scaling: Scaling) -> None:
        """Scale at once what may be kept."""
        self.n_features, self._n_rows = rows.n_features, len(rows)
        self._rows, self._scaling = rows, scaling
        self._kept = None
        if len(rows) * rows.n_features <= MOST_KEPT_VALUES:
            self._kept = np.concatenate([scaling.transform(piece) for piece in rows.pieces()])

    def __len__(self) -> int:
        """Count the rows."""
        return self._n_rows

    def take(self, places: Places) -> Floats:
        """Return the scaled rows at `places`, (n_places, n_features)."""
        return self._scaling.transform(self._rows.take(places)) if self._kept is None else self._kept[places]

    def take_small(self, places: Places) -> NDArray[np.float32]:
        """Return the scaled rows at many `places` in half of the memory, (n_places, n_features)."""
        small = np.empty((len(places), self.n_features), dtype=np.float32)
        for start in range(0, len(places), ROWS_AT_ONCE):
            small[start:start + ROWS_AT_ONCE] = self.take(places[start:start + ROWS_AT_ONCE])
        return small

    def pieces(self) -> Iterator[tuple[int, Floats]]:
        """Yield the place of each piece's first row, and the piece."""
        for start in range(0, self._n_rows, ROWS_AT_ONCE):
            stop = min(start + ROWS_AT_ONCE, self._n_rows)
            yield start, self.take(np.arange(start, stop)) if self._kept is None else self._kept[start:stop]
