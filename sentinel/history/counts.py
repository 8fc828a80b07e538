"""Counts that fade and keep to a bound, and the tails of quantities over the recent past."""

import math
from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from sentinel.errors import CorruptFileError

FADED_EXPONENT_LIMIT = 1_000.0  # a double reaches 2**1023; times until 2100 stay far below with half-lives from 60 days
SECONDS_PER_DAY = 86_400.0
ALL, LEVELS = "all", ("newcomer", "occasional", "regular", "bot")
LEVEL_PRIOR, USUAL_PRIOR = 20.0, 20.0  # changes
N_BINS = 48
REACHED = np.tri(N_BINS + 1, N_BINS, -1)  # row n has n ones, then zeros


class FadingCounts:
    """Counts by key, where an entry halves every `half_life_days`; the smallest are dropped above `most_keys`.

    An entry is stored as if it had been counted in 1970 (forward decay, Cormode et al. 2009), so that nothing has to
    be touched as time goes on. What is dropped at the bound are the quarter of keys that weigh least.
    """

    __slots__ = ("weights", "half_life_seconds", "most_keys")

    def __init__(self, half_life_days: float, most_keys: int) -> None:
        """Begin empty."""
        self.weights: dict[str, float] = {}
        self.half_life_seconds = half_life_days * SECONDS_PER_DAY
        self.most_keys = most_keys

    def unit(self, at: float) -> float:
        """Return what one count of the time `at` (seconds since 1970) weighs; divide weights by it."""
        return 2.0 ** min(at / self.half_life_seconds, FADED_EXPONENT_LIMIT)

    def add(self, key: str, weight: float) -> None:
        """Add `weight`, a multiple of `unit`, to the count of `key`."""
        weights = self.weights
        weights[key] = weights.get(key, 0.0) + weight
        if len(weights) > self.most_keys:
            self._drop_smallest()

    def add_each(self, keys: Iterable[str], weight: float) -> None:
        """Add `weight` to the count of every key; there are few of them."""
        weights = self.weights
        get = weights.get
        for key in keys:
            weights[key] = get(key, 0.0) + weight
        if len(weights) > self.most_keys:
            self._drop_smallest()

    def _drop_smallest(self) -> None:
        keys = sorted(self.weights, key=lambda key: (self.weights[key], key))
        for key in keys[:max(len(keys) - self.most_keys, len(keys) // 4)]:
            del self.weights[key]

    def restore(self, weights: Any) -> None:
        """Take stored weights; raises CorruptFileError where they cannot have been stored by `weights`."""
        self.weights = checked_weights(weights, self.most_keys)


class Tails:
    """How often quantities were reached, by level of experience, over about the last 1,400 changes.

    N_BINS numbers per surprise feature and level, one feature after the other: bin b holds the weight of the values
    that reached it. A change halves in weight after HALF_LIFE later ones. They are read one by one, at which an array
    is fast, and added to all at once, at which numpy is.
    """

    N_BINS = N_BINS
    HALF_LIFE = 1_000.0  # changes
    __slots__ = ("unit", "_weights", "_scales", "_leaning", "_places", "_firsts")

    def __init__(self, highest: Sequence[float], usual: Sequence[Sequence[float]]) -> None:
        """Begin empty, for quantities from 0 to `highest`; `usual` is the share reaching each bin elsewhere."""
        n_bins = self.N_BINS
        self.unit = 1.0
        self._weights = {level: array("d", bytes(8 * n_bins * len(highest))) for level in (ALL, *LEVELS)}
        self._scales = [(n_bins - 1) / most for most in highest]
        self._leaning = [USUAL_PRIOR * share + 1.0 for shares in usual for share in shares]
        self._places = range(len(highest))
        self._firsts = range(0, n_bins * len(highest), n_bins)

    def by_level(self) -> dict[str, list[list[float]]]:
        """Return the weights of every level, a row of N_BINS for every feature."""
        return {level: [weights[first:first + self.N_BINS].tolist() for first in self._firsts]
                for level, weights in self._weights.items()}

    def surprises(self, level: str, quantities: Sequence[float], most: float) -> list[float]:
        """Return minus the logarithm of the share that reached each quantity among changes of this level.

        It is never above `most`, 0 for quantities of 0, which all reach, and NaN for absent ones.

        The level leans on all levels with LEVEL_PRIOR changes, and these on what is usual across repositories with
        USUAL_PRIOR.
        """
        unit, last, log = self.unit, self.N_BINS - 1, math.log
        whole, prior = (USUAL_PRIOR + 1.0) * unit, LEVEL_PRIOR * unit
        own, everyone, leaning = self._weights[level], self._weights[ALL], self._leaning
        surprises = list(quantities)
        for quantity, place, first, scale in zip(quantities, self._places, self._firsts, self._scales):
            if quantity > 0.0:
                b = int(quantity * scale) + 1
                at = first + (b if b < last else last)
                wide = (everyone[at] + unit * leaning[at]) / (everyone[first] + whole)
                nats = -log((own[at] + prior * wide) / (own[first] + prior))
                surprises[place] = nats if nats < most else most
        return surprises

    def add(self, level: str, quantities: Sequence[float]) -> None:
        """Count the quantities of one change; older ones fade, absent ones do not count."""
        self.unit *= 2.0 ** (1.0 / self.HALF_LIFE)
        n_reached = [
            int(quantity * scale) + 2 if quantity > 0.0 else 1 if quantity == quantity else 0
            for quantity, scale in zip(quantities, self._scales, strict=True)
        ]
        reached = REACHED.take(n_reached, axis=0, mode="clip")
        reached *= self.unit
        for name in (level, ALL):
            np.frombuffer(self._weights[name]).reshape(reached.shape)[:] += reached
        if self.unit > 2.0 ** 400:
            self._rescale()

    def _rescale(self) -> None:
        for weights in self._weights.values():
            np.frombuffer(weights)[:] /= self.unit
        self.unit = 1.0

    def restore(self, unit: Any, rows: Any) -> None:
        """Take stored weights; raises CorruptFileError where they cannot have been stored by `by_level`."""
        if set(rows) != {ALL, *LEVELS} or any(len(own) != len(self._scales) for own in rows.values()):
            raise CorruptFileError("history: its tails are of other features than these; run spark_preprocess again")
        if any(len(row) != self.N_BINS for own in rows.values() for row in own):
            raise CorruptFileError(f"history: a tail has not {self.N_BINS} bins")
        self.unit = max(1.0, checked_number(unit))
        self._weights = {level: array("d", [checked_number(weight) for row in own for weight in row])
                         for level, own in rows.items()}


def checked_number(value: Any) -> float:
    """Return a finite number from 0 as it is; raises CorruptFileError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value < math.inf:
        raise CorruptFileError(f"history: seen {ascii(value)[:60]}, expected a finite number from 0")
    return float(value) or 0.0  # one object for all zeros


def checked_weights(weights: Any, most_keys: int) -> dict[str, float]:
    """Return a mapping of at most `most_keys` texts to finite numbers; raises CorruptFileError otherwise."""
    if not isinstance(weights, Mapping) or len(weights) > most_keys:
        raise CorruptFileError(f"history: expected a mapping of at most {most_keys:,} counts")
    return {str(key): checked_number(weight) for key, weight in weights.items()}
