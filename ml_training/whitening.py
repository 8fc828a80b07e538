"""The Mahalanobis distance, split exactly over the columns.

With S = covariance + ridge · I, D = diag(S) and P = D^-1/2 S D^-1/2, the vector w = P^-1/2 D^-1/2 (v - mean)
has w·w = (v - mean)' S^-1 (v - mean), and w_i is the whitened value most correlated with column i
(the corr-max transformation: Garthwaite & Koch 2016, Aust. N. Z. J. Stat. 58). So w_i² is column i's share.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Whitening:
    """center (n_columns,) and matrix (n_columns, n_columns): w = (v - center) @ matrix."""

    center: Floats
    matrix: Floats

    def transform(self, V: Floats) -> Floats:
        """Return the whitened rows (n_rows, n_columns); their squares add up to the squared distance."""
        return (V - self.center) @ self.matrix


class Moments:
    """Mean and covariance of rows that come in pieces; the rows should lie around 0."""

    def __init__(self, n_columns: int) -> None:
        """Begin with no rows."""
        self.n_rows = 0
        self._sum = np.zeros(n_columns)
        self._products = np.zeros((n_columns, n_columns))

    def add(self, V: Floats) -> None:
        """Add rows V (n_rows, n_columns)."""
        columns = torch.from_numpy(np.ascontiguousarray(V))
        self.n_rows += len(V)
        self._sum += V.sum(axis=0)
        self._products += (columns.T @ columns).numpy()

    def mean(self) -> Floats:
        """Return the columns' means."""
        return self._sum / self.n_rows

    def covariance(self) -> Floats:
        """Return the covariance, (n_columns, n_columns)."""
        return self._products / self.n_rows - np.outer(self.mean(), self.mean())


def whitening_of(center: Floats, covariance: Floats, ridge: float) -> Whitening:
    """Return the whitening for a center and a covariance, whose diagonal grows by `ridge`."""
    covariance = covariance + ridge * np.eye(len(center))
    deviations = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(deviations, deviations)
    # By torch, whose threads we set: numpy's wait for each other on a busy machine.
    values, vectors = (part.numpy() for part in torch.linalg.eigh(torch.from_numpy(correlation)))
    roots = 1 / np.sqrt(np.maximum(values, ridge / deviations.max() ** 2 / 2))
    return Whitening(center, (vectors * roots) @ vectors.T / deviations[:, None])
