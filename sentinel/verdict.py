"""What is told of one pull request: how unusual it is in its repository, and why."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sentinel.features import CATALOGUE, Feature, sentence
from sentinel.judged import Reason
from sentinel.model import AnomalyModel

Floats = NDArray[np.float64]

MOST_REASONS = 5
UNUSUAL_PERCENTILE = 90.0  # a value is named when it lies above, or below 100 minus this where both ends are odd
LEAST_TOLD_NATS = 2.3  # a little less than ln(10), the surprise of the 90th percentile
_FEATURES = {feature.name: feature for feature in CATALOGUE}


@dataclass(frozen=True, slots=True)
class Verdict:
    """One pull request's score, place and reasons, the most telling first."""

    repository: str
    number: int
    score: float  # at least 0; higher is more unusual
    percentile: float  # of the score among this repository's reference scores, 0 to 100
    threshold: float
    is_unusual: bool
    warm_up: bool  # the repository's history was still too short to know what is usual
    reasons: tuple[Reason, ...]
    model_version: str
    feature_fingerprint: str


def make_verdicts(model: AnomalyModel, repositories: Sequence[str], numbers: Sequence[int],
                  warm_ups: Sequence[bool], X: Floats) -> list[Verdict]:
    """Score X (n_rows, n_features), raw features in the model's order, and say why, one verdict a row."""
    scored = model.score(X)
    rows = zip(repositories, numbers, warm_ups, X.tolist(), scored.scores.tolist(), scored.contributions.tolist())
    verdicts = []
    for repository, number, warm_up, values, score, contributions in rows:
        threshold = model.threshold_of(repository)
        verdicts.append(Verdict(
            repository, int(number), score, model.percentile(repository, score), threshold, score > threshold,
            bool(warm_up), explain_row(model, values, contributions), model.version, model.feature_fingerprint,
        ))
    return verdicts


def explain_row(model: AnomalyModel, values: Sequence[float], contributions: Sequence[float]) -> tuple[Reason, ...]:
    """Return at most five reasons, one per group of features, those that add most to the score first.

    Plain Python: for the few numbers of one row it is ten times faster than arrays.
    """
    names = model.feature_names
    rows = zip(contributions, model.usual_contributions, values, _least_told(names))
    columns = [column for column, (contribution, mean, value, least) in enumerate(rows)
               if contribution > mean and value > least]  # NaN is above nothing
    columns.sort(key=contributions.__getitem__, reverse=True)  # equal ones keep their order
    shares: dict[str, float] = {}
    speakers: dict[str, tuple[int, float]] = {}  # of each group the first column, and the percentile of its value
    for column in columns:
        feature = _FEATURES[names[column]]
        percentile = _telling_percentile(model, column, feature, values[column])
        if percentile is None:
            continue
        if feature.group in shares:
            shares[feature.group] += contributions[column]
        else:
            shares[feature.group], speakers[feature.group] = contributions[column], (column, percentile)
    told = sorted(shares, key=shares.__getitem__, reverse=True)[:MOST_REASONS]
    return tuple([_reason(names[speakers[group][0]], shares[group], values, speakers[group]) for group in told])


@lru_cache(maxsize=8)
def _least_told(names: tuple[str, ...]) -> list[float]:
    """Return for each column the value up to which there is nothing to tell; it spares looking at most of them."""
    return [-math.inf if _FEATURES[name].quantity_highest is None else LEAST_TOLD_NATS for name in names]


def _telling_percentile(model: AnomalyModel, column: int, feature: Feature, value: float) -> float | None:
    """Return where a value of a column lies, 0 to 100, ties in the middle; None where that is nothing to tell.

    A surprise tells its place in its own repository; other features are compared with all fitted rows, and tell at
    both ends. NaN, absent, never comes here.
    """
    if feature.quantity_highest is not None:
        percentile = 100 * -math.expm1(-value)
        return percentile if percentile >= UNUSUAL_PERCENTILE else None
    usual = model.usual_values[column]
    if not usual:
        return None
    percentile = 100 * (bisect_left(usual, value) + bisect_right(usual, value)) / (2 * len(usual))
    return None if 100 - UNUSUAL_PERCENTILE < percentile < UNUSUAL_PERCENTILE else percentile


def _reason(name: str, share: float, values: Sequence[float], speaker: tuple[int, float]) -> Reason:
    """Speak for a group through its most telling feature: its column, and the percentile of its value."""
    column, percentile = speaker
    return Reason(name, _FEATURES[name].group, sentence(name, values[column]), share, values[column], percentile)
