"""The rules that flag a pull request, by name."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_training.settings import Hyperparameters
from sentinel.model import POOLED

Floats = NDArray[np.float64]

N_DEVIATIONS = 2.0  # the usual rule of reconstruction errors
CONFORMAL_WINDOW = 1_000  # the newest scores of a repository: what is usual drifts


@dataclass(frozen=True, slots=True)
class Thresholds:
    """`pooled` for all repositories, `by_repository` where a rule gives each its own."""

    rule: str
    pooled: float
    by_repository: Mapping[str, float]

    def of(self, repository: str) -> float:
        """Return the score above which a pull request of `repository` is unusual."""
        return self.by_repository.get(repository, self.pooled)


def compute_thresholds(settings: Hyperparameters, training_scores: Floats,
                       later_scores: Mapping[str, Floats]) -> Thresholds:
    """Apply the rule that the settings name.

    `training_scores` are of the fitted rows; `later_scores` are of rows that were not fitted, by repository
    and under "*" of all together, in order of time.
    """
    if settings.threshold_rule == "mean_plus_two_std":
        return Thresholds(settings.threshold_rule, mean_plus_two_std(training_scores), {})
    pooled = conformal_threshold(later_scores[POOLED], settings.alert_budget)
    least = int(np.ceil(1 / settings.alert_budget)) - 1
    own = {name: conformal_threshold(scores[-CONFORMAL_WINDOW:], settings.alert_budget)
           for name, scores in later_scores.items() if name != POOLED and len(scores) >= least}
    return Thresholds(settings.threshold_rule, pooled, own)


def mean_plus_two_std(scores: Floats) -> float:
    """Return mean + 2 standard deviations of the training scores."""
    return float(scores.mean() + N_DEVIATIONS * scores.std())


def conformal_threshold(scores: Floats, budget: float) -> float:
    """Return a score that a next, exchangeable one exceeds with a chance of at most `budget`.

    It is the ceil((n + 1)(1 - budget))-th smallest of n scores (split conformal; Vovk et al. 2005); with too few
    scores for the budget, the largest one, which a next score exceeds with a chance of 1 / (n + 1).
    """
    if not len(scores):
        return float("inf")
    rank = int(np.ceil((len(scores) + 1) * (1 - budget)))
    return float(np.sort(scores)[min(rank, len(scores)) - 1])
