"""A hash of how surprises are weighed: a model and the code that reads it must do it alike."""

import hashlib
from itertools import combinations

from sentinel.features import CATALOGUE
from sentinel.features.score import rarity_score

LEVELS_NATS = (0.5, 1.5, 4.0)  # below what each group is allowed, little and far above it
DIGITS = 6


def score_fingerprint() -> str:
    """Return 16 hexadecimal digits that change with a group, a weight or the nats of the usual, not with a comment.

    Each surprise alone tells its weight, each pair whether both are of one group.
    """
    surprises = [place for place, feature in enumerate(CATALOGUE) if feature.is_surprise]
    scores = [_score_of((place,), level) for place in surprises for level in LEVELS_NATS]
    scores += [_score_of(pair, LEVELS_NATS[-1]) for pair in combinations(surprises, 2)]
    return hashlib.sha256(",".join(f"{score:.{DIGITS}g}" for score in scores).encode()).hexdigest()[:16]


def _score_of(raised: tuple[int, ...], level: float) -> float:
    vector = [0.0] * len(CATALOGUE)
    for place in raised:
        vector[place] = level
    return rarity_score(vector)
