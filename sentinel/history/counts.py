"""Counts that fade and keep to a bound, and the tail of a quantity over the recent past."""

import math
from collections.abc import Mapping
from typing import Any

from sentinel.errors import CorruptFileError

FADED_EXPONENT_LIMIT = 1_000.0  # a double reaches 2**1023; times until 2100 stay far below with half-lives from 60 days
SECONDS_PER_DAY = 86_400.0


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

    def _drop_smallest(self) -> None:
        keys = sorted(self.weights, key=lambda key: (self.weights[key], key))
        for key in keys[:max(1, len(keys) // 4)]:
            del self.weights[key]

    def restore(self, weights: Any) -> None:
        """Take stored weights; raises CorruptFileError where they cannot have been stored by `weights`."""
        self.weights = checked_weights(weights, self.most_keys)


class Tail:
    """How often a quantity from 0 to `highest` was reached, over about the last `half_life` values."""

    N_BINS = 64
    HALF_LIFE = 1_000.0  # values; so that surprise tells of about the last 1,400
    __slots__ = ("bins", "total", "unit", "_scale")

    def __init__(self, highest: float) -> None:
        """Begin empty."""
        self.bins = [0.0] * self.N_BINS
        self.total = 0.0
        self.unit = 1.0
        self._scale = (self.N_BINS - 1) / highest

    def bin_of(self, quantity: float) -> int:
        """Return the bin of a quantity; what lies outside goes to the first or last."""
        return min(max(math.ceil(quantity * self._scale), 0), self.N_BINS - 1) if quantity > 0 else 0

    def surprise(self, quantity: float) -> float:
        """Return minus the logarithm of the share of values that reached `quantity`, itself counted."""
        reached = sum(self.bins[self.bin_of(quantity):])
        return max(0.0, -math.log((reached + self.unit) / (self.total + self.unit)))

    def add(self, quantity: float) -> None:
        """Count one value; older ones fade."""
        self.unit *= 2.0 ** (1.0 / self.HALF_LIFE)
        self.bins[self.bin_of(quantity)] += self.unit
        self.total += self.unit
        if self.unit > 2.0 ** 400:
            self._rescale()

    def _rescale(self) -> None:
        self.bins = [weight / self.unit for weight in self.bins]
        self.total = sum(self.bins)
        self.unit = 1.0

    def to_json(self) -> list[Any]:
        """Return what `restore` takes."""
        return [self.unit, self.total, self.bins]

    def restore(self, stored: Any) -> None:
        """Take what `to_json` gave; raises CorruptFileError for anything else."""
        if not isinstance(stored, list) or len(stored) != 3 or not isinstance(stored[2], list) \
                or len(stored[2]) != self.N_BINS:
            raise CorruptFileError(f"history: a tail is no list of unit, total and {self.N_BINS} bins")
        numbers = [checked_number(number) for number in (*stored[:2], *stored[2])]
        if numbers[0] < 1.0:
            raise CorruptFileError("history: a tail has a unit below 1")
        self.unit, self.total, self.bins = numbers[0], numbers[1], numbers[2:]


def checked_number(value: Any) -> float:
    """Return a finite number from 0 as it is; raises CorruptFileError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value < math.inf:
        raise CorruptFileError(f"history: seen {ascii(value)[:60]}, expected a finite number from 0")
    return float(value)


def checked_weights(weights: Any, most_keys: int) -> dict[str, float]:
    """Return a mapping of at most `most_keys` texts to finite numbers; raises CorruptFileError otherwise."""
    if not isinstance(weights, Mapping) or len(weights) > most_keys:
        raise CorruptFileError(f"history: expected a mapping of at most {most_keys:,} counts")
    return {str(key): checked_number(weight) for key, weight in weights.items()}
