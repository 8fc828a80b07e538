"""The strongest surprise of each group of features, added up: the partner that no distance dilutes.

It is `sentinel.features.score.rarity_score`, split over the features and written so that a graph can hold it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sentinel.features import CATALOGUE
from sentinel.features.score import DANGER_WEIGHT, DANGEROUS, GROUPS, LEFT_OUT, USUAL_NATS

Floats = NDArray[np.float64]

SMALLEST = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True, slots=True)
class Rarities:
    """Groups of columns that are in nats, and the weight of each group."""

    membership: Floats  # (n_features, n_groups): 1 where a column belongs to a group
    weights: Floats  # (n_groups,)
    usual: float  # nats that each group is allowed

    def shares(self, X: Floats) -> Floats:
        """Return each column's share of the sum, (n_rows, n_features), in nats, at least 0; NaN counts nothing.

        A group gives its strongest excess; the columns of the group share it by their own excess.
        """
        excess = np.maximum(np.nan_to_num(X, nan=0.0) - self.usual, 0.0) * self.membership.any(axis=1)
        totals = excess @ self.membership  # (n_rows, n_groups)
        strongest = np.stack([excess[:, column > 0].max(axis=1) for column in self.membership.T], axis=1)
        scales = self.weights * strongest / np.where(totals > 0, totals, 1.0)
        return excess * (scales @ self.membership.T)

    @property
    def places(self) -> NDArray[np.int64]:
        """Return the columns of each group, (n_groups, largest group), filled up with n_features."""
        columns = [np.flatnonzero(column) for column in self.membership.T]
        filled = np.full((len(columns), max(map(len, columns))), len(self.membership))
        for row, places in zip(filled, columns):
            row[:len(places)] = places
        return filled


def catalogue_rarities() -> Rarities:
    """Return the groups and weights of the catalogue's surprises."""
    counted = {group: places for group, places in GROUPS.items() if group not in LEFT_OUT and places}
    membership = np.zeros((len(CATALOGUE), len(counted)))
    for column, places in enumerate(counted.values()):
        membership[list(places), column] = 1.0
    weights = np.array([DANGER_WEIGHT if group in DANGEROUS else 1.0 for group in counted])
    return Rarities(membership, weights, USUAL_NATS)


def join_with_rarities(distances: Floats, rarities: Floats) -> Floats:
    """Return shares of √(distance · (1 + rarity)), where the arguments, (n_rows, n_features), are shares of each.

    A product splits as its logarithm does: by the share of each factor's columns.
    """
    distance, rarity = distances.sum(axis=1, keepdims=True), rarities.sum(axis=1, keepdims=True)
    score = np.sqrt(distance * (1 + rarity))
    shares = (1 + rarity) * distances + distance * rarities  # they add up to distance · (1 + 2 rarity)
    return score * shares / np.maximum(distance * (1 + 2 * rarity), SMALLEST)
