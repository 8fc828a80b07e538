"""The ordered list of all features; training and scoring read the same one."""

from sentinel.features.feature import ABSENT, Feature
from sentinel.features.groups import AUTHOR, MOMENT, PLACE, PLACES_AT_RISK, SIZE, TEXT

CATALOGUE: tuple[Feature, ...] = (*SIZE, *PLACE, *AUTHOR, *MOMENT, *TEXT, *PLACES_AT_RISK)
FEATURE_NAMES: tuple[str, ...] = tuple(feature.name for feature in CATALOGUE)
_BY_NAME = {feature.name: feature for feature in CATALOGUE}


def sentence(name: str, value: float) -> str:
    """Say one value in plain words, as the rest of a sentence that begins with "This pull request"."""
    return f"{name.replace('_', ' ')} is not known" if value != value else _BY_NAME[name].sentence(value)


__all__ = ["ABSENT", "CATALOGUE", "FEATURE_NAMES", "Feature", "sentence"]
