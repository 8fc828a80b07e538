"""What a budget of alerts would have flagged, forward in time, and how many known ones it would have found."""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BUDGETS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
WINDOW, LEAST_EARLIER = 1_000, 50  # scores of the same repository that one is compared with
N_RESAMPLES, CONFIDENCE = 1_000, 0.95


@dataclass(frozen=True, slots=True)
class BudgetCurve:
    """Per budget: the share of known ones found and the share really flagged, each with its interval."""

    budgets: tuple[float, ...]
    recall: Floats  # (n_budgets, 3): value, low, high; NaN where nothing is known
    flagged: Floats  # (n_budgets, 3)
    n_known: int
    n_repositories: int


def places_among_earlier(scores: Sequence[float], repositories: Sequence[str]) -> Floats:
    """Return for each score the share of its repository's last 1,000 earlier ones that reach it, (n,).

    NaN where there were fewer than 50. An alert at budget b means: the share is below b.
    """
    windows: dict[str, tuple[deque[float], list[float]]] = {}
    places = np.full(len(scores), np.nan)
    for row, (score, repository) in enumerate(zip(scores, repositories)):
        newest, ordered = windows.setdefault(repository, (deque(), []))
        if len(ordered) >= LEAST_EARLIER:
            places[row] = 1 - bisect_left(ordered, score) / len(ordered)
        newest.append(score)
        insort(ordered, score)
        if len(newest) > WINDOW:
            del ordered[bisect_left(ordered, newest.popleft())]
    return places


def budget_curve(places: Floats, is_known: NDArray[np.bool_], repositories: NDArray[np.str_], seed: int) -> BudgetCurve:
    """Count alerts and hits at each budget; intervals are bootstrapped over repositories."""
    judged = ~np.isnan(places)
    alerts = np.array([judged & (places < budget) for budget in BUDGETS])  # (n_budgets, n)
    names = np.unique(repositories)
    counts = np.array([[
        [(row & own & is_known).sum(), (own & is_known).sum(), (row & own).sum(), (own & judged).sum()]
        for row in alerts] for own in (repositories == name for name in names)], dtype=float)
    draws = np.random.default_rng(seed).integers(0, len(names), (N_RESAMPLES, len(names)))
    resampled = counts[draws].sum(axis=1)  # (n_resamples, n_budgets, 4)
    return BudgetCurve(BUDGETS, _with_interval(counts.sum(axis=0)[..., :2], resampled[..., :2]),
                       _with_interval(counts.sum(axis=0)[..., 2:], resampled[..., 2:]),
                       int(is_known.sum()), len(names))


def planted_curve(usual: Floats, planted: Floats, seed: int) -> BudgetCurve:
    """Tell what share of the `planted` scores lies above each budget's quantile of the `usual` ones.

    Alerts are counted among the usual alone, and the intervals resample both.
    """
    generator = np.random.default_rng(seed)
    drawn = [_found(generator.choice(usual, len(usual)), generator.choice(planted, len(planted)))
             for _ in range(N_RESAMPLES)]
    low, high = np.percentile(drawn, [50 * (1 - CONFIDENCE), 50 * (1 + CONFIDENCE)], axis=0)  # (2, n_budgets)
    found, flagged = _found(usual, planted)
    return BudgetCurve(BUDGETS, np.column_stack([found, low[0], high[0]]),
                       np.column_stack([flagged, low[1], high[1]]), len(planted), 1)


def _found(usual: Floats, planted: Floats) -> tuple[Floats, Floats]:
    limits = np.quantile(usual, 1 - np.array(BUDGETS), method="higher")
    return (planted[:, None] > limits).mean(axis=0), (usual[:, None] > limits).mean(axis=0)


def false_alarms_before_first_hit(places: Floats, is_known: NDArray[np.bool_]) -> int | None:
    """Return how many others a reader of the ranked list meets before the first known one; None without any."""
    known = places[is_known & ~np.isnan(places)]
    return int((places[~is_known] < known.min()).sum()) if len(known) else None


def _with_interval(counts: Floats, resampled: Floats) -> Floats:
    """Turn counts (n_budgets, 2), of and out of, into shares with their interval, (n_budgets, 3)."""
    tail = 50 * (1 - CONFIDENCE)
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = counts[:, 0] / counts[:, 1]
        drawn = resampled[..., 0] / resampled[..., 1]
    low, high = np.full((2, len(counts)), np.nan)
    for row, column in enumerate(drawn.T):
        known = column[~np.isnan(column)]
        if len(known):
            low[row], high[row] = np.percentile(known, [tail, 100 - tail])
    return np.column_stack([shares, low, high])
