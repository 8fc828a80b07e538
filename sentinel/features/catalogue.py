"""The ordered list of all features; training and scoring read the same one."""

from sentinel.features.added_lines import CONTENT
from sentinel.features.context import AUTHOR, PLACE, RHYTHM, TEXT
from sentinel.features.feature import Feature
from sentinel.features.shape import HIDING, SENSITIVE, SIZE

CATALOGUE: tuple[Feature, ...] = (
    *SIZE, *PLACE, *AUTHOR, *SENSITIVE, *RHYTHM, *TEXT, *HIDING, *CONTENT,
)
FEATURE_NAMES: tuple[str, ...] = tuple(feature.name for feature in CATALOGUE)
_BY_NAME = {feature.name: feature for feature in CATALOGUE}


def sentence(name: str, value: float) -> str:
    """Say one value in plain words, as the rest of a sentence that begins with "This pull request"."""
    if value != value:
        return f"{name.removesuffix('_surprise').replace('_', ' ')}: not known here"
    return _BY_NAME[name].sentence(value)


__all__ = ["CATALOGUE", "FEATURE_NAMES", "Feature", "sentence"]
