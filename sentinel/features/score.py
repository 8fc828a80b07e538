"""A plain sum of rarities: the baseline that a learned detector has to beat."""

from collections.abc import Sequence

from sentinel.features.catalogue import CATALOGUE

# What follows from size, taste or chance says little about intent, and would drown the rest; the networks see it.
LEFT_OUT = frozenset({"size", "text", "hiding", "wording", "route", "weekday"})
# What can do harm by itself weighs more: a maintainer stops at it whoever wrote it.
DANGEROUS = frozenset({"piping", "address", "secret", "execution", "self-starting", "encoding", "dependency"})
DANGER_WEIGHT = 3.0
USUAL_NATS = 1.0  # of each group: reached by one change in e

GROUPS: dict[str, tuple[int, ...]] = {
    group: tuple(place for place, feature in enumerate(CATALOGUE) if feature.group == group and feature.is_surprise)
    for group in dict.fromkeys(feature.group for feature in CATALOGUE if feature.is_surprise)
}


def rarity_score(vector: Sequence[float]) -> float:
    """Add up the strongest surprise of every group above USUAL_NATS; higher is more unusual, 0 is usual.

    Only the strongest counts, since the features of one group say nearly the same; absent ones count nothing.
    """
    score = 0.0
    for group, places in GROUPS.items():
        strongest = max((vector[place] for place in places if vector[place] == vector[place]), default=0.0)
        if group not in LEFT_OUT and strongest > USUAL_NATS:
            score += (strongest - USUAL_NATS) * (DANGER_WEIGHT if group in DANGEROUS else 1.0)
    return score
