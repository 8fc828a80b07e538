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

RIDGE = 1e-3  # in units of a scaled column's variance; research/detection.md


@dataclass(frozen=True, slots=True)
class Whitening:
    """center (n_columns,) and matrix (n_columns, n_columns): w = (v - center) @ matrix."""

    center: Floats
    matrix: Floats

    def transform(self, V: Floats) -> Floats:
        """Return the whitened rows (n_rows, n_columns); their squares add up to the squared distance."""
        return (V - self.center) @ self.matrix


def fit_whitening(V: Floats, ridge: float = RIDGE) -> Whitening:
    """Learn center and covariance from V (n_rows, n_columns)."""
    center = V.mean(axis=0)
    centered = V - center
    columns = torch.from_numpy(np.ascontiguousarray(centered))
    covariance = (columns.T @ columns / len(V)).numpy()
    return whitening_of(center, covariance, ridge)


def whitening_of(center: Floats, covariance: Floats, ridge: float = RIDGE) -> Whitening:
    """Return the whitening for a center and a covariance."""
    covariance = covariance + ridge * np.eye(len(center))
    deviations = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(deviations, deviations)
    # By torch, whose threads we set: numpy's wait for each other on a busy machine.
    values, vectors = (part.numpy() for part in torch.linalg.eigh(torch.from_numpy(correlation)))
    roots = 1 / np.sqrt(np.maximum(values, ridge / deviations.max() ** 2 / 2))
    return Whitening(center, (vectors * roots) @ vectors.T / deviations[:, None])
