"""The few figures that say how a replay went, in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_training.alert_budgets import (
    BudgetCurve,
    budget_curve,
    false_alarms_before_first_hit,
    places_among_earlier,
)

WEEK_SECONDS = 7 * 24 * 3600.0
SHOWN_BUDGETS = (0.005, 0.01, 0.02, 0.05)


@dataclass(frozen=True, slots=True)
class Summary:
    """How a replay went; `words` are lines for people."""

    curve: BudgetCurve
    words: tuple[str, ...]


def summarise(lines: Sequence[Mapping[str, Any]], is_known: NDArray[np.bool_], n_weeks: Mapping[str, float],
              stability: Sequence[float], alert_budget: float, seed: int) -> Summary:
    """Summarise the lines of a backtest, which are in order of time; `stability` has one figure per retrain."""
    repositories = np.array([line["repository"] for line in lines], dtype=str)
    places = places_among_earlier([line["score"] for line in lines], repositories.tolist())
    curve = budget_curve(places, is_known, repositories, seed)
    flagged = np.array([line["flagged"] for line in lines], dtype=bool)
    judged = int((~np.isnan(places)).sum())
    words = [f"{len(lines):,} pull requests of {_counted(len(n_weeks), 'repository', 'repositories')}; {judged:,} had "
             "enough before them to be compared with",
             f"flagged {int(flagged.sum()):,}, {flagged.sum() / max(judged, 1):.2%} of these; "
             f"the budget is {alert_budget:.2%}"]
    weeks = sum(n_weeks.values())
    if weeks:
        words.append(f"{flagged.sum() / weeks:.2f} alerts per repository and week")
    if len(stability):
        words.append(f"rank correlation of scores before and after a retrain: median {np.median(stability):.3f}, "
                     f"lowest {min(stability):.3f}, {len(stability)} retrains")
    if curve.n_known:
        words.append(f"{_counted(curve.n_known, 'known incident', 'known incidents')}; the ranked list holds "
                     f"{false_alarms_before_first_hit(places, is_known)} others before the first")
    words.extend(_budget_words(curve))
    return Summary(curve, tuple(words))


def _budget_words(curve: BudgetCurve) -> list[str]:
    words = []
    for budget, recall, flagged in zip(curve.budgets, curve.recall, curve.flagged):
        if budget not in SHOWN_BUDGETS:
            continue
        found = f", finds {_share(recall, curve.n_repositories, 0)} of the known" if curve.n_known else ""
        words.append(f"budget {budget:.1%}: really flags {_share(flagged, curve.n_repositories, 2)}{found}")
    return words


def _share(values: NDArray[np.float64], n_repositories: int, digits: int) -> str:
    value, low, high = values
    interval = f" [{100 * low:.{digits}f}, {100 * high:.{digits}f}]" if n_repositories > 1 else ""
    return f"{100 * value:.{digits}f}{interval} %"


def _counted(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"
