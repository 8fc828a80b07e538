"""How far out each value lies in its own column: the plain partner of the distance."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MOST_KEPT_VALUES = 10_001  # of a column; quantiles stand for longer ones


@dataclass(frozen=True, slots=True)
class Tails:
    """The sorted present values of each column."""

    values: tuple[Floats, ...]

    def surprises(self, X: Floats) -> Floats:
        """Return minus the logarithm of each value's two-sided tail share, (n_rows, n_features), in nats, at least 0.

        The joint use of such tails as a score is ECOD's (Li et al. 2022); NaN gives 0.
        """
        nats = np.zeros(X.shape)
        for column, usual in enumerate(self.values):
            values = X[:, column]
            up_to = np.searchsorted(usual, values, side="right") + 1
            from_here = len(usual) - np.searchsorted(usual, values, side="left") + 1
            share = np.minimum(1.0, 2 * np.minimum(up_to, from_here) / (len(usual) + 1))
            nats[:, column] = np.where(np.isnan(values), 0.0, -np.log(share))
        return nats


def fit_tails(columns: Iterable[Floats]) -> Tails:
    """Keep what is needed of the present values of each column."""
    return Tails(tuple(_keep(np.sort(present)) for present in columns))


def _keep(ordered: Floats) -> Floats:
    if len(ordered) <= MOST_KEPT_VALUES:
        return ordered
    places = np.linspace(0, len(ordered) - 1, MOST_KEPT_VALUES).round().astype(int)
    return ordered[places]
