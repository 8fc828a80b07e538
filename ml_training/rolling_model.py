"""A model that is fitted anew as a replay goes on, and judges what comes next."""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_training.assembly import Origin, make_card
from ml_training.detector import AutoencoderDetector
from ml_training.graph import build_graph
from ml_training.rarities import catalogue_rarities
from ml_training.rows import rows_of_table
from ml_training.settings import Hyperparameters
from ml_training.thresholds import CONFORMAL_WINDOW, Thresholds, conformal_threshold, mean_plus_two_std
from sentinel.features import CATALOGUE, FEATURE_NAMES
from sentinel.history.replay import ReplayedRow
from sentinel.model import POOLED, AnomalyModel
from sentinel.verdict import Verdict, make_verdicts

Floats = NDArray[np.float64]

FITTED_AT = (50, 100, 200, 400, 800)  # rows seen; then at every LATER_EVERY more
LATER_EVERY = 800
COMPARED_ROWS = 500
LEAST_EARLIER_SCORES = 50  # below, nothing is flagged
IN_NATS = np.array([feature.is_surprise for feature in CATALOGUE])
RARITIES = catalogue_rarities()


class RollingModel:
    """Judges rows by a model of earlier ones, then learns them."""

    def __init__(self, settings: Hyperparameters) -> None:
        """Begin with nothing seen."""
        self._settings = settings
        self._rows: list[Floats] = []
        self._model: AnomalyModel | None = None
        self._earlier: dict[str, deque[float]] = {}
        self.stability: list[float] = []  # rank correlation of the newest scores by each model and its predecessor

    @property
    def rows_until_fit(self) -> int:
        """Return how many more rows are judged before the model is fitted anew."""
        seen = len(self._rows)
        later = FITTED_AT[-1] + LATER_EVERY * ((seen - FITTED_AT[-1]) // LATER_EVERY + 1)
        return next((n for n in FITTED_AT if n > seen), later) - seen

    def judge(self, rows: Sequence[ReplayedRow], fit_after: bool = True) -> Iterator[dict[str, Any]]:
        """Yield a line per row, judged by what came before; then fit anew, unless nothing follows."""
        if not rows:
            return
        X = np.stack([row.values for row in rows])
        if self._model is None:
            for row, score in zip(rows, score_without_model(X)):
                yield self._to_line(row, float(score), ())
        else:
            verdicts = make_verdicts(self._model, [row.pull_request.repository for row in rows],
                                     [row.pull_request.number for row in rows], [row.warm_up for row in rows], X)
            for row, verdict in zip(rows, verdicts):
                yield self._to_line(row, verdict.score, _sentences(verdict))
        if not fit_after:
            return
        self._rows.extend(X)
        before, self._model = self._model, self._fit(rows[-1].pull_request.opened_at.isoformat())
        if before is not None:
            newest = np.stack(self._rows[-COMPARED_ROWS:])
            self.stability.append(rank_correlation(before.score(newest).scores, self._model.score(newest).scores))

    def skip(self, rows: Sequence[Floats]) -> None:
        """Count rows as seen without judging or learning them: for others that follow the same schedule."""
        self._rows.extend(rows)

    def _to_line(self, row: ReplayedRow, score: float, reasons: tuple[str, ...]) -> dict[str, Any]:
        earlier = self._earlier.setdefault(row.pull_request.repository, deque(maxlen=CONFORMAL_WINDOW))
        scores = np.array(earlier)
        flagged = len(scores) >= LEAST_EARLIER_SCORES and score > conformal_threshold(
            scores, self._settings.alert_budget)
        earlier.append(score)
        return {
            "index": row.index, "repository": row.pull_request.repository, "number": row.pull_request.number,
            "sha": row.sha, "score": score, "warm_up": row.warm_up, "flagged": bool(flagged),
            "percentile": float(100 * (scores < score).mean()) if len(scores) else None, "reasons": list(reasons),
        }

    def _fit(self, until: str) -> AnomalyModel:
        X = np.stack(self._rows)
        detector = AutoencoderDetector(random_state=self._settings.seed, settings=self._settings).fit(
            X, in_nats=IN_NATS, rarities=RARITIES)
        threshold = mean_plus_two_std(detector.decision_scores_)
        card = make_card(
            detector, rows_of_table(X), detector.contributions(X).mean(axis=0),
            Thresholds("mean_plus_two_std", threshold, {}), {POOLED: detector.decision_scores_},
            Origin(f"backtest-{len(X)}", FEATURE_NAMES, "", "", "", until))
        return AnomalyModel.from_bytes(build_graph(detector.parts_, threshold, card.to_metadata()))


def score_without_model(X: Floats) -> Floats:
    """Return scores while there is nothing to learn from: surprises as if independent, of mean and variance 1 nat.

    It is the detector's own formula with that mean and variance, and a ridge of 1.
    """
    excess = np.maximum(np.nan_to_num(X[:, IN_NATS], nan=1.0) - 1.0, 0.0)
    distance = np.sqrt(np.square(excess).sum(axis=1) / 2 / (2 * X.shape[1]))
    rarity: Floats = RARITIES.shares(X).sum(axis=1)
    return np.sqrt(distance * (1 + rarity))


def rank_correlation(first: Floats, second: Floats) -> float:
    """Return Spearman's rank correlation of two lists of scores without many ties."""
    ranks = [np.argsort(np.argsort(scores)) for scores in (first, second)]
    return float(np.corrcoef(*ranks)[0, 1])


def _sentences(verdict: Verdict) -> tuple[str, ...]:
    return tuple(reason.sentence for reason in verdict.reasons)
