"""The gate: a new model replaces the champion only when it is not worse on the same later rows."""

import time
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from ml_training.settings import Hyperparameters
from sentinel.model import AnomalyModel

Floats = NDArray[np.float64]

RECALL_MARGIN = 0.05  # how much less of the planted oddities a new model may find
MOST_RATE_RATIO = 1.5  # how many times the champion's share of alerts it may raise
MOST_LATENCY_RATIO = 2.0
N_PLANTED, PLANTED_FEATURES, PLANTED_QUANTILE = 200, 8, 0.99
RECALL_BUDGET = 0.05  # share of real rows above the limit; less is noise on a few hundred rows
LEAST_JUDGED_ROWS = 20
RATE_SLACK = 0.01  # on few rows, one alert more is no finding


@dataclass(frozen=True, slots=True)
class Judged:
    """What one model did on the later rows."""

    planted_recall: float  # share of planted rows above the (1 - RECALL_BUDGET) quantile of the real ones
    alert_rate: float  # share of the real rows above the model's own thresholds
    seconds_per_row: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both models' figures, and what follows from them."""

    passes: bool
    reason: str
    challenger: Judged | None = None
    champion: Judged | None = None

    def metrics(self) -> dict[str, float]:
        """Return the figures by name, as the run logs them."""
        return {f"gate_{who}_{name}": float(value)
                for who, judged in (("challenger", self.challenger), ("champion", self.champion)) if judged
                for name, value in asdict(judged).items()}


def compare_on_later_rows(model: AnomalyModel, champion: AnomalyModel | None, X: Floats,
                          repositories: NDArray[np.str_], settings: Hyperparameters) -> Comparison:
    """Judge both models on rows X (n_rows, n_features) that the new one was not fitted on."""
    if champion is not None and champion.fingerprints != model.fingerprints:
        return Comparison(True, "the champion reads features or weights of other code, which nothing uses any more",
                          _judge(model, X, plant_oddities(X, settings.seed), repositories) if len(X) else None)
    if len(X) < LEAST_JUDGED_ROWS:
        return Comparison(champion is None, f"only {len(X)} later rows to judge on"
                          + ("; first model" if champion is None else "; the champion stays"))
    planted = plant_oddities(X, settings.seed)
    judged = _judge(model, X, planted, repositories)
    if champion is None:
        return Comparison(True, "first model of an empty registry: nothing to compare with", judged)
    before = _judge(champion, X, planted, repositories)
    faults = faults_of(judged, before)
    return Comparison(not faults, "; ".join(faults) or "not worse on the same later rows", judged, before)


def plant_oddities(X: Floats, seed: int) -> Floats:
    """Return copies of rows in which a few values are replaced by rare ones of the same columns."""
    generator = np.random.default_rng(seed)
    planted = X[generator.integers(0, len(X), N_PLANTED)].copy()
    rare = np.nanquantile(np.where(np.isnan(X).all(axis=0), 0.0, X), PLANTED_QUANTILE, axis=0)
    for row in planted:
        columns = generator.choice(X.shape[1], min(PLANTED_FEATURES, X.shape[1]), replace=False)
        row[columns] = np.fmax(row[columns], rare[columns])
    return planted


def _judge(model: AnomalyModel, X: Floats, planted: Floats, repositories: NDArray[np.str_]) -> Judged:
    started = time.thread_time()  # of this thread's processor: other programs on the machine do not count
    scores = model.score(X).scores
    seconds = (time.thread_time() - started) / len(X)
    limit = np.quantile(scores, 1 - RECALL_BUDGET, method="higher")
    alerts = scores > np.array([model.threshold_of(name) for name in repositories])
    return Judged(float((model.score(planted).scores > limit).mean()), float(alerts.mean()), seconds)


def faults_of(judged: Judged, before: Judged) -> list[str]:
    """List what is worse than before by more than its margin."""
    faults = []
    if judged.planted_recall < before.planted_recall - RECALL_MARGIN:
        faults.append(f"finds {judged.planted_recall:.0%} of the planted oddities, the champion "
                      f"{before.planted_recall:.0%}")
    if judged.alert_rate > before.alert_rate * MOST_RATE_RATIO + RATE_SLACK:
        faults.append(f"flags {judged.alert_rate:.1%}, the champion {before.alert_rate:.1%}")
    if judged.seconds_per_row > before.seconds_per_row * MOST_LATENCY_RATIO and judged.seconds_per_row > 1e-4:
        faults.append(f"takes {judged.seconds_per_row * 1e6:.0f} µs a row, the champion "
                      f"{before.seconds_per_row * 1e6:.0f}")
    return faults
