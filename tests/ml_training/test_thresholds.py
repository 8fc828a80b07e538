"""The rules that flag, and how well they hold on the next period."""

import numpy as np
import pytest

from ml_training.settings import default_hyperparameters
from ml_training.thresholds import compute_thresholds, conformal_threshold, mean_plus_two_std
from sentinel.model import POOLED

SCORES = np.random.default_rng(0).exponential(size=400)


def test_default_rule_is_mean_plus_two_deviations():
    thresholds = compute_thresholds(default_hyperparameters(), np.array([1.0, 3.0]), {POOLED: SCORES})

    assert 2.0 + 2 * 1.0 == thresholds.of("any/where")
    assert mean_plus_two_std(np.array([1.0, 3.0])) == thresholds.pooled


def test_budget_gives_long_repositories_their_own_threshold():
    settings = default_hyperparameters(threshold_rule="alert_budget", alert_budget=0.02)

    thresholds = compute_thresholds(settings, SCORES, {POOLED: SCORES, "a/long": 2 * SCORES, "a/short": SCORES[:40]})

    assert 2 * thresholds.pooled == thresholds.of("a/long")
    assert thresholds.pooled == thresholds.of("a/short")


def test_budget_holds_on_the_next_score():
    """10,000 draws: a rate above 0.065 has a chance below one in a million where 0.05 is the truth."""
    generator = np.random.default_rng(1)
    samples = generator.normal(size=(10_000, 60))

    flagged = [row[-1] > conformal_threshold(row[:-1], 0.05) for row in samples]

    assert 0.035 < np.mean(flagged) < 0.065


@pytest.mark.parametrize("n_scores, expected", [(0, np.inf), (5, 4.0)])
def test_too_few_scores_flag_only_a_new_maximum(n_scores, expected):
    assert expected == conformal_threshold(np.arange(n_scores, dtype=float), 0.01)
