"""What is told of one pull request: how unusual it is in its repository, and why."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sentinel.features import CATALOGUE, sentence
from sentinel.model import AnomalyModel

Floats = NDArray[np.float64]

MOST_REASONS = 5
UNUSUAL_PERCENTILE = 90.0  # a value is named when it lies above, or below 100 minus this where both ends are odd
_FEATURES = {feature.name: feature for feature in CATALOGUE}


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that is unusual, in words; `contribution` is its group's share of the score."""

    feature: str
    group: str
    sentence: str
    contribution: float
    value: float
    percentile: float  # of the value, 0 to 100: a surprise in its repository, others among all fitted rows


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
    percentiles = percentiles_of_values(model, X)
    return [
        Verdict(
            repository, int(number), float(scored.scores[row]),
            model.percentile(repository, float(scored.scores[row])), model.threshold_of(repository),
            bool(scored.scores[row] > model.threshold_of(repository)), bool(warm_up),
            explain_row(model, X[row], scored.contributions[row], percentiles[row]),
            model.version, model.feature_fingerprint,
        )
        for row, (repository, number, warm_up) in enumerate(zip(repositories, numbers, warm_ups))
    ]


def percentiles_of_values(model: AnomalyModel, X: Floats) -> Floats:
    """Return where each value of X lies, 0 to 100, ties in the middle; NaN where absent.

    A surprise tells its place in its own repository; other features are compared with all fitted rows.
    """
    places = np.full(X.shape, np.nan)
    for column, name in enumerate(model.feature_names):
        present = ~np.isnan(X[:, column])
        values = X[present, column]
        if _FEATURES[name].is_surprise:
            places[present, column] = 100 * -np.expm1(-np.maximum(values, 0.0))
            continue
        usual = np.asarray(model.card.usual_values[name], dtype=np.float64)
        if len(usual):
            below, up_to = (np.searchsorted(usual, values, side=side) for side in ("left", "right"))
            places[present, column] = 100 * (below + up_to) / (2 * len(usual))
    return places


def explain_row(model: AnomalyModel, values: Floats, contributions: Floats, percentiles: Floats) -> tuple[Reason, ...]:
    """Return at most five reasons, one per group of features, those that add most to the score first."""
    usual = np.array([model.card.usual_contributions[name] for name in model.feature_names])
    is_low_odd = np.array([not _FEATURES[name].is_surprise for name in model.feature_names])
    is_far = (percentiles >= UNUSUAL_PERCENTILE) | (is_low_odd & (percentiles <= 100 - UNUSUAL_PERCENTILE))
    candidates = np.flatnonzero(is_far & (contributions > usual))  # NaN, absent, is never far
    groups: dict[str, list[int]] = {}
    for column in candidates[np.argsort(-contributions[candidates], kind="stable")]:
        groups.setdefault(_FEATURES[model.feature_names[column]].group, []).append(int(column))
    reasons = [_reason(model.feature_names[columns[0]], columns, values, contributions, percentiles)
               for columns in groups.values()]
    return tuple(sorted(reasons, key=lambda reason: -reason.contribution)[:MOST_REASONS])


def _reason(name: str, columns: list[int], values: Floats, contributions: Floats, percentiles: Floats) -> Reason:
    """Speak for a group through its most telling feature, `name`, the first of `columns`."""
    value = float(values[columns[0]])
    return Reason(name, _FEATURES[name].group, sentence(name, value),
                  float(contributions[columns].sum()), value, float(percentiles[columns[0]]))
