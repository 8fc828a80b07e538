"""The ordered list of all features; training and scoring read the same one."""

import math

from sentinel.features.added_lines import CONTENT
from sentinel.features.context import AUTHOR, PLACE, RHYTHM, TEXT
from sentinel.features.feature import Feature
from sentinel.features.shape import HIDING, SENSITIVE, SIZE
from sentinel.features.situation import Situation

OF_THE_CHANGE: tuple[Feature, ...] = (*SIZE, *PLACE, *AUTHOR, *SENSITIVE, *RHYTHM, *TEXT, *HIDING)
CATALOGUE: tuple[Feature, ...] = (*OF_THE_CHANGE, *CONTENT)
FEATURE_NAMES: tuple[str, ...] = tuple(feature.name for feature in CATALOGUE)
_BY_NAME = {feature.name: feature for feature in CATALOGUE}
_COMPUTE_CHANGE = tuple(feature.compute for feature in OF_THE_CHANGE)
_COMPUTE_CONTENT = tuple(feature.compute for feature in CONTENT)
_NO_CONTENT = [math.nan] * len(CONTENT)


def compute_values(situation: Situation) -> list[float]:
    """Return what every feature computes, in the order of the catalogue; those of unknown added lines are NaN."""
    values = [compute(situation) for compute in _COMPUTE_CHANGE]
    if situation.facts.content is None:
        return values + _NO_CONTENT
    return values + [compute(situation) for compute in _COMPUTE_CONTENT]


def sentence(name: str, value: float) -> str:
    """Say one value in plain words, as the rest of a sentence that begins with "This pull request"."""
    if value != value:
        return f"{name.removesuffix('_surprise').replace('_', ' ')}: not known here"
    return _BY_NAME[name].sentence(value)


__all__ = ["CATALOGUE", "FEATURE_NAMES", "Feature", "sentence"]
