"""One feature: its name, unit, range, source, plain sentence and pure function."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from sentinel.features.situation import Situation

ABSENT = math.nan
MOST_SURPRISE_NATS = 8.0  # exp(-8) is 1 in 3,000: no history here is long enough to tell more


@dataclass(frozen=True, slots=True)
class Feature:
    """A number about a pull request, as it stood at opening; NaN means absent.

    Where `quantity_highest` is set, `compute` gives a quantity that the history turns into its surprise: minus the
    logarithm of the share of earlier changes here that reached it, in nats, 0 to MOST_SURPRISE_NATS.
    """

    name: str
    group: str
    unit: str
    lowest: float
    highest: float
    sentence: Callable[[float], str]
    source: str
    compute: Callable[[Situation], float]
    quantity_highest: float | None = None

    @property
    def is_surprise(self) -> bool:
        """Tell whether the value is a share of the repository's own past."""
        return self.quantity_highest is not None


def surprise(name: str, group: str, what: str, source: str, compute: Callable[[Situation], float],
             quantity_highest: float) -> Feature:
    """Build a feature that is the surprise of a quantity from 0 to `quantity_highest`; `what` says it in words."""
    return Feature(name, group, "nats", 0.0, MOST_SURPRISE_NATS, lambda value: f"{what} ({share_in_words(value)})",
                   source, compute, quantity_highest)


def share_in_words(nats: float) -> str:
    """Say a surprise as a share of earlier changes: "as in 1 of 50 changes here"."""
    one_of = math.exp(min(nats, MOST_SURPRISE_NATS))
    if one_of < 2:
        return "as usual here"
    digits = max(0, len(str(int(one_of))) - 2)
    return f"reached by about 1 in {int(round(one_of, -digits)):,} changes here"


def count_in_words(count: float, singular: str, plural: str | None = None) -> str:
    """Write "1 file", "3 files"."""
    number = int(round(count))
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def from_log(value: float) -> float:
    """Undo ln(1 + x)."""
    return math.expm1(min(value, 40.0))
