"""An autoencoder as outlier detector for any table of finite numbers, with PyOD's interface.

The distance is the root of the mean squared Mahalanobis distance of [scaled input, residual], averaged over
a few small networks, half of which never saw the farthest rows. For tables of unknown columns, the score is the
weighted geometric mean of three measures, each divided by its median over the fitted rows: that distance, the
sum of the columns' own tails, and the distance to the nearest row of many small draws. Pull requests use the
geometric mean of the distance and 1 + the sum of their groups' rarities.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from ml_training.neighbours import Neighbours, fit_neighbours
from ml_training.networks import Autoencoders, Epoch, train_autoencoders
from ml_training.rarities import Rarities, join_with_rarities
from ml_training.rows import ROWS_AT_ONCE, Floats, Places, Rows, ScaledRows, rows_of_table
from ml_training.scaling import Scaling, fit_scaling
from ml_training.settings import Hyperparameters, table_hyperparameters
from ml_training.tails import Tails, fit_tails
from ml_training.whitening import Moments, Whitening, whitening_of
from sentinel.errors import DataUnusableError

LEAST_ROWS_PER_COLUMN = 20  # below this, trimming costs the covariance more than it brings
TRIMMING_ROUNDS = 2
MOST_VALIDATION_ROWS = 16_384  # of more, as many evenly spaced: their median loss is the same to the third digit
LEAST_OF_TYPICAL = 1e-3  # a measure of nothing, as of a duplicate, must not decide alone
SMALLEST = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True, slots=True)
class FittedParts:
    """Everything that a score needs: what is exported."""

    scaling: Scaling
    networks: Autoencoders
    whitenings: tuple[Whitening, ...]  # one per network, of [scaled input, residual]
    is_one_sided: NDArray[np.bool_]  # (n_features,): unusual only when high
    tails: Tails | None
    neighbours: Neighbours | None
    rarities: Rarities | None


class AutoencoderDetector:
    """Fit on a table, then score rows; higher is more unusual. NaN means absent and counts as usual."""

    def __init__(self, contamination: float = 0.1, random_state: int = 0,
                 settings: Hyperparameters | None = None) -> None:
        """Flag the share `contamination` of the training rows; `random_state` replaces the settings' seed."""
        if not 0 < contamination <= 0.5:
            raise ValueError(f"contamination: seen {contamination}, expected a share above 0 and up to 0.5")
        self.contamination = contamination
        self.random_state = random_state
        self.settings = settings or table_hyperparameters()

    def fit(self, X: ArrayLike | Rows, y: object = None, *, X_validation: ArrayLike | Rows | None = None,
            in_nats: NDArray[np.bool_] | None = None, rarities: Rarities | None = None,
            tell: Callable[[Epoch], None] = lambda epoch: None) -> "AutoencoderDetector":
        """Learn what is usual in X (n_rows, n_features), rows in order of time; y is ignored.

        Without `X_validation` the last rows decide when to stop; the distances are learned from all of X.
        Columns marked `in_nats` are surprises: not rescaled, and unusual only when high; `rarities` groups them.
        """
        rows = rows_of_table(X)
        self.n_features_in_ = rows.n_features
        later = None if X_validation is None else self._check_width(X_validation)
        in_nats = np.zeros(rows.n_features, bool) if in_nats is None else in_nats
        with _threads(self.settings.threads):
            self.parts_, self.epochs_ = self._fit_parts(rows, later, in_nats, rarities, tell)
            sample = rows.take(np.arange(0, len(rows), -(-len(rows) // ROWS_AT_ONCE)))
            measures = self._measures(sample)
            self._typical = [_typical(measure.sum(axis=1)) for measure, _ in measures]
            self.decision_scores_ = (self.decision_function(rows) if len(sample) < len(rows) else
                                     self._with_rarities(sample, self._join(measures)).sum(axis=1))
        self.threshold_ = float(np.quantile(self.decision_scores_, 1 - self.contamination))
        self.labels_ = (self.decision_scores_ > self.threshold_).astype(int)
        return self

    def _fit_parts(self, rows: Rows, later: Rows | None, in_nats: NDArray[np.bool_], rarities: Rarities | None,
                   tell: Callable[[Epoch], None]) -> tuple[FittedParts, list[Epoch]]:
        settings = self.settings.model_copy(update={"seed": self.random_state})
        scaling = fit_scaling(rows.columns(), in_nats, settings.largest_scaled)
        scaled = ScaledRows(rows, scaling)
        n_fitted = len(rows) if later is not None else max(1, len(rows) - round(len(rows) * settings.validation_share))
        later = Rows(rows.table, rows.places[n_fitted:]) if later is None else later
        kept = rows_near_the_middle(scaled, settings)
        networks, epochs = train_autoencoders(
            scaled.take_small, _evenly(later if len(later) else rows, scaling),
            [places[places < n_fitted] if (places < n_fitted).any() else places for places in kept],
            settings, _device(settings.device), tell)
        return FittedParts(
            scaling, networks, _fit_whitenings(scaled, kept, networks.cpu(), settings), in_nats,
            fit_tails(rows.columns()) if settings.tails_weight else None,
            fit_neighbours(scaled, settings.seed) if settings.neighbours_weight else None, rarities), epochs

    def decision_function(self, X: ArrayLike | Rows) -> Floats:
        """Return one score per row of X (n_rows, n_features), at least 0; higher is more unusual."""
        pieces = [piece.sum(axis=1) for piece in self._pieces(self._check_width(X))]
        return np.concatenate(pieces) if pieces else np.empty(0)

    def contributions(self, X: ArrayLike | Rows) -> Floats:
        """Return each feature's share of the scores, (n_rows, n_features), at least 0; rows add up to the score."""
        pieces = list(self._pieces(self._check_width(X)))
        return np.concatenate(pieces) if pieces else np.empty((0, self.n_features_in_))

    def _pieces(self, rows: Rows) -> Iterator[Floats]:
        for piece in rows.pieces():
            yield self._with_rarities(piece, self._join(self._measures(piece)))

    def _with_rarities(self, X: Floats, contributions: Floats) -> Floats:
        if self.parts_.rarities is None:
            return contributions
        return join_with_rarities(contributions, self.parts_.rarities.shares(X))

    def _join(self, measures: list[tuple[Floats, float]]) -> Floats:
        """Return the weighted geometric mean of the measures, split over the features as they are."""
        if len(measures) == 1:
            return measures[0][0]
        weights = np.array([weight for _, weight in measures])
        weights /= weights.sum()
        totals = [np.maximum(measure.sum(axis=1, keepdims=True), LEAST_OF_TYPICAL * typical)
                  for (measure, _), typical in zip(measures, self._typical)]
        logarithm = sum(weight * np.log(total / typical)
                        for weight, total, typical in zip(weights, totals, self._typical))
        shares = sum(weight * measure / total for weight, total, (measure, _) in zip(weights, totals, measures))
        shares += (shares.sum(axis=1, keepdims=True) == 0) / shares.shape[1]  # nothing stands out: spread it evenly
        return np.exp(logarithm) * shares / shares.sum(axis=1, keepdims=True)

    def _measures(self, X: Floats) -> list[tuple[Floats, float]]:
        """Return each measure by feature, (n_rows, n_features), with its weight."""
        parts = self.parts_
        Z = parts.scaling.transform(X)
        measures = [(_distances(parts, Z), 1.0)]
        if parts.tails is not None:
            measures.append((parts.tails.surprises(X), self.settings.tails_weight))
        if parts.neighbours is not None:
            measures.append((parts.neighbours.gaps(Z), self.settings.neighbours_weight))
        return measures

    def predict(self, X: ArrayLike) -> NDArray[np.int64]:
        """Return 1 for each unusual row of X, else 0."""
        return (self.decision_function(X) > self.threshold_).astype(np.int64)

    def _check_width(self, X: ArrayLike | Rows) -> Rows:
        rows = rows_of_table(X, least_rows=0)
        if rows.n_features != self.n_features_in_:
            raise DataUnusableError(f"table: seen {rows.n_features} columns, expected the {self.n_features_in_} "
                                    "of fitting")
        return rows


def rows_near_the_middle(scaled: ScaledRows, settings: Hyperparameters) -> list[Places]:
    """Return for each network the rows that it learns from: all, or without the farthest share."""
    everything = near = np.arange(len(scaled))
    if (len(scaled) >= LEAST_ROWS_PER_COLUMN * scaled.n_features and settings.trimmed_networks
            and settings.trimmed_share):
        for _ in range(TRIMMING_ROUNDS):
            moments = Moments(scaled.n_features)
            for start, piece in scaled.pieces():
                moments.add(piece[_places_in(near, start, piece)])
            whitening = whitening_of(moments.mean(), moments.covariance(), settings.ridge)
            distances = np.concatenate([np.square(whitening.transform(piece)).sum(axis=1)
                                        for _, piece in scaled.pieces()])
            near = np.sort(np.argsort(distances, kind="stable")[:round(len(scaled) * (1 - settings.trimmed_share))])
    n_trimmed = min(settings.trimmed_networks, settings.n_networks)
    return [everything] * (settings.n_networks - n_trimmed) + [near] * n_trimmed


def _fit_whitenings(scaled: ScaledRows, kept: list[Places], networks: Autoencoders,
                    settings: Hyperparameters) -> tuple[Whitening, ...]:
    """Learn each network's whitening, a piece of the rows at a time: all residuals at once would not fit."""
    moments = [Moments(2 * scaled.n_features) for _ in kept]
    for start, piece in scaled.pieces():
        for places, residual, moment in zip(kept, _residuals(networks, piece), moments):
            here = _places_in(places, start, piece)
            moment.add(np.hstack([piece[here], residual[here]]))
    return tuple(whitening_of(moment.mean(), moment.covariance(), settings.ridge) for moment in moments)


def _places_in(places: Places, start: int, piece: Floats) -> Places:
    """Return those of the ascending `places` that lie in a piece, counted from its first row."""
    return places[np.searchsorted(places, start):np.searchsorted(places, start + len(piece))] - start


def _evenly(rows: Rows, scaling: Scaling) -> NDArray[np.float32]:
    """Scale the rows that decide when to stop: all, or of many as many as suffice, evenly spaced in time."""
    places = np.linspace(0, len(rows) - 1, min(len(rows), MOST_VALIDATION_ROWS)).round().astype(int)
    return scaling.transform(rows.take(places)).astype(np.float32)


def _residuals(networks: Autoencoders, Z: Floats) -> Floats:
    with torch.no_grad():
        rebuilt = networks(torch.from_numpy(Z.astype(np.float32)))
    return Z - rebuilt.numpy().astype(np.float64)


def _distances(parts: FittedParts, Z: Floats) -> Floats:
    """Return the distances of scaled rows, by feature."""
    squares = np.zeros((len(Z), 2 * Z.shape[1]))
    lowest = np.where(np.tile(parts.is_one_sided, 2), 0.0, -np.inf)
    for whitening, residual in zip(parts.whitenings, _residuals(parts.networks, Z)):
        squares += np.square(np.maximum(whitening.transform(np.hstack([Z, residual])), lowest))
    return _to_roots(squares.reshape(len(Z), 2, -1).sum(axis=1) / (len(parts.whitenings) * 2 * Z.shape[1]))


def _to_roots(squares: Floats) -> Floats:
    """Return shares that add up to the root of the sum: it keeps one wild row from deciding mean and deviation."""
    return squares / np.maximum(np.sqrt(squares.sum(axis=1, keepdims=True)), SMALLEST)


def _typical(totals: Floats) -> float:
    """Return the median, or the mean where half of the rows are duplicates of others."""
    return float(np.median(totals)) or float(totals.mean()) or 1.0


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


class _threads:
    """Use `count` CPU threads inside, and as many as before afterwards; 0 changes nothing."""

    def __init__(self, count: int) -> None:
        self._count, self._before = count, torch.get_num_threads()

    def __enter__(self) -> None:
        if self._count:
            torch.set_num_threads(self._count)

    def __exit__(self, *_: Any) -> None:
        torch.set_num_threads(self._before)
