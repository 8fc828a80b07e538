"""An autoencoder as outlier detector for any table of finite numbers, with PyOD's interface.

The score is the root of the mean squared Mahalanobis distance of [scaled input, residual], averaged over
a few small networks, half of which never saw the farthest rows.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from ml_training.networks import ROWS_AT_ONCE, Autoencoders, Epoch, train_autoencoders
from ml_training.scaling import Scaling, fit_scaling
from ml_training.settings import Hyperparameters
from ml_training.whitening import Whitening, fit_whitening
from sentinel.errors import DataUnusableError

Floats = NDArray[np.float64]

LEAST_TRIMMED_ROWS = 20  # below this, every row counts
TRIMMING_ROUNDS = 2


@dataclass(frozen=True, slots=True)
class FittedParts:
    """Everything that a score needs: what is exported."""

    scaling: Scaling
    networks: Autoencoders
    whitenings: tuple[Whitening, ...]  # one per network, of [scaled input, residual]


class AutoencoderDetector:
    """Fit on a table, then score rows; higher is more unusual. NaN means absent and counts as usual."""

    def __init__(self, contamination: float = 0.1, random_state: int = 0,
                 settings: Hyperparameters | None = None) -> None:
        """Flag the share `contamination` of the training rows; `random_state` replaces the settings' seed."""
        if not 0 < contamination <= 0.5:
            raise ValueError(f"contamination: seen {contamination}, expected a share above 0 and up to 0.5")
        self.contamination = contamination
        self.random_state = random_state
        self.settings = settings or Hyperparameters()

    def fit(self, X: ArrayLike, y: object = None, *, X_validation: ArrayLike | None = None,
            tell: Callable[[Epoch], None] = lambda epoch: None) -> "AutoencoderDetector":
        """Learn what is usual in X (n_rows, n_features), rows in order of time; y is ignored.

        Without `X_validation` the last rows decide when to stop; the distances are learned from all of X.
        """
        X = _check_table(X)
        self.n_features_in_ = X.shape[1]
        settings = replace_seed(self.settings, self.random_state)
        scaling = fit_scaling(X)
        Z = scaling.transform(X)
        n_validation = 0 if X_validation is not None else round(len(Z) * settings.validation_share)
        n_fitted = max(1, len(Z) - n_validation)
        later = scaling.transform(self._check_width(X_validation)) if X_validation is not None else Z[n_fitted:]
        kept = rows_near_the_middle(Z, settings)
        with _threads(settings.threads):
            networks, self.epochs_ = train_autoencoders(
                Z.astype(np.float32), (later if len(later) else Z).astype(np.float32),
                [rows[rows < n_fitted] if (rows < n_fitted).any() else rows for rows in kept],
                settings, _device(settings.device), tell)
            whitenings = _fit_whitenings(Z, kept, networks.cpu(), settings)
        self.parts_ = FittedParts(scaling, networks, whitenings)
        self.decision_scores_ = self.decision_function(X)
        self.threshold_ = float(np.quantile(self.decision_scores_, 1 - self.contamination))
        self.labels_ = (self.decision_scores_ > self.threshold_).astype(int)
        return self

    def decision_function(self, X: ArrayLike) -> Floats:
        """Return one score per row of X (n_rows, n_features), at least 0; higher is more unusual."""
        return self.contributions(X).sum(axis=1)

    def contributions(self, X: ArrayLike) -> Floats:
        """Return each feature's share of the scores, (n_rows, n_features), at least 0; rows add up to the score."""
        X = self._check_width(X)
        pieces = [_contributions(self.parts_, X[start:start + ROWS_AT_ONCE])
                  for start in range(0, len(X), ROWS_AT_ONCE)]
        return np.concatenate(pieces) if pieces else np.empty(X.shape)

    def predict(self, X: ArrayLike) -> NDArray[np.int64]:
        """Return 1 for each unusual row of X, else 0."""
        return (self.decision_function(X) > self.threshold_).astype(np.int64)

    def _check_width(self, X: ArrayLike) -> Floats:
        table = _check_table(X, least_rows=0)
        if table.shape[1] != self.n_features_in_:
            raise DataUnusableError(f"table: seen {table.shape[1]} columns, expected the {self.n_features_in_} "
                                    "of fitting")
        return table


def replace_seed(settings: Hyperparameters, seed: int) -> Hyperparameters:
    """Return the settings with another seed."""
    return settings.model_copy(update={"seed": seed})


def rows_near_the_middle(Z: Floats, settings: Hyperparameters) -> list[NDArray[np.int64]]:
    """Return for each network the rows of Z that it learns from: all, or without the farthest share."""
    everything = near = np.arange(len(Z))
    if len(Z) >= LEAST_TRIMMED_ROWS and settings.trimmed_networks and settings.trimmed_share:
        for _ in range(TRIMMING_ROUNDS):
            distances = np.square(fit_whitening(Z[near], settings.ridge).transform(Z)).sum(axis=1)
            near = np.sort(np.argsort(distances, kind="stable")[:round(len(Z) * (1 - settings.trimmed_share))])
    n_trimmed = min(settings.trimmed_networks, settings.n_networks)
    return [everything] * (settings.n_networks - n_trimmed) + [near] * n_trimmed


def _fit_whitenings(Z: Floats, kept: list[NDArray[np.int64]], networks: Autoencoders,
                    settings: Hyperparameters) -> tuple[Whitening, ...]:
    residuals = _residuals(networks, Z)  # (n_networks, n_rows, n_features)
    return tuple(fit_whitening(np.hstack([Z[rows], residual[rows]]), settings.ridge)
                 for rows, residual in zip(kept, residuals))


def _residuals(networks: Autoencoders, Z: Floats) -> Floats:
    with torch.no_grad():
        rebuilt = networks(torch.from_numpy(Z.astype(np.float32)))
    return Z - rebuilt.numpy().astype(np.float64)


def _contributions(parts: FittedParts, X: Floats) -> Floats:
    Z = parts.scaling.transform(X)
    squares = np.zeros((len(Z), 2 * Z.shape[1]))
    for whitening, residual in zip(parts.whitenings, _residuals(parts.networks, Z)):
        squares += np.square(whitening.transform(np.hstack([Z, residual])))
    shares = squares.reshape(len(Z), 2, -1).sum(axis=1) / (len(parts.whitenings) * 2 * Z.shape[1])
    # The root keeps a single wild row from deciding mean and deviation; shares keep their proportion.
    roots = np.sqrt(shares.sum(axis=1, keepdims=True))
    return shares / np.maximum(roots, np.finfo(float).tiny)


def _check_table(X: ArrayLike, least_rows: int = 1) -> Floats:
    table = np.asarray(X, dtype=np.float64)
    if table.ndim != 2 or len(table) < least_rows or table.shape[1] < 1:
        raise DataUnusableError(f"table: seen shape {table.shape}, expected (n_rows, n_features), one at least of each")
    if np.isinf(table).any():
        raise DataUnusableError(f"table: seen {int(np.isinf(table).sum())} infinite values, expected finite ones "
                                "or NaN where a value is absent")
    return table


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
