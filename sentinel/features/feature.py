"""One feature: its name, unit, range, source, plain sentence and pure function."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from sentinel.features.situation import Situation

MOST_LOG = 40.0  # ln of the largest count that the parser takes, and more
MOST_COUNTED = 20.0
MOST_SURPRISE_NATS = 8.0  # exp(-8) is 1 in 3,000: no history here is long enough to tell more
MOST_SAID = 1_000  # changes; a history fades over about as many, so that a rarer share is not known


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


def size_feature(name: str, group: str, what: str, unit: str, source: str,
                 compute: Callable[[Situation], float]) -> Feature:
    """Build a feature that is ln(1 + count); `what` has a place for the count."""
    return Feature(name, group, f"ln(1 + {unit}s)", 0.0, MOST_LOG,
                   lambda value: what.format(count_in_words(math.expm1(value), unit)), source, compute)


def count_feature(name: str, group: str, what: str, unit: str, source: str,
                  compute: Callable[[Situation], float]) -> Feature:
    """Build a feature that counts few things, at most MOST_COUNTED; `what` has a place for the count."""
    def compute_bounded(situation: Situation) -> float:
        count = compute(situation)
        return MOST_COUNTED if count > MOST_COUNTED else count

    return Feature(name, group, plural_of(unit), 0.0, MOST_COUNTED,
                   lambda value: what.format(count_in_words(value, unit)), source, compute_bounded)


def flag_feature(name: str, group: str, if_so: str, if_not: str, source: str,
                 compute: Callable[[Situation], float]) -> Feature:
    """Build a feature that is 1 or 0."""
    return Feature(name, group, "yes or no", 0.0, 1.0, lambda value: if_so if value else if_not, source, compute)


def share_in_words(nats: float) -> str:
    """Say a surprise as a share of earlier changes: "reached by about 1 in 50 changes here"."""
    one_of = math.exp(min(nats, MOST_SURPRISE_NATS))
    if one_of < 2:
        return "as usual here"
    if one_of > MOST_SAID:
        return f"reached by fewer than 1 in {MOST_SAID:,} changes here"
    digits = max(0, len(str(int(one_of))) - 2)
    return f"reached by about 1 in {int(round(one_of, -digits)):,} changes here"


def count_in_words(count: float, unit: str) -> str:
    """Write "no file", "1 file", "3 files"."""
    number = int(round(count))
    if number == 1:
        return f"1 {unit}"
    return f"{number:,} {plural_of(unit)}" if number else f"no {unit}"


def plural_of(unit: str) -> str:
    """Write "files", "dependencies", "repositories"."""
    return f"{unit[:-1]}ies" if unit.endswith(("cy", "ry")) else f"{unit}s"
