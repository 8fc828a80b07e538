"""The distance to the nearest fitted rows: the partner that sees what is odd only locally."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ml_training.rows import ScaledRows

Floats = NDArray[np.float64]

N_NEIGHBOURS = 5
MOST_KEPT_ROWS = 4_096  # bounds time and memory; more bring nothing measurable
ROWS_AT_ONCE = 2_048


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The rows that others are compared with, scaled, (n_kept, n_features)."""

    rows: NDArray[np.float32]

    def squared_gaps(self, Z: Floats) -> Floats:
        """Return the mean squared gap to the nearest five rows, by feature, (n_rows, n_features).

        A row that was fitted itself is not its own neighbour: one gap of exactly nothing is left out.
        """
        kept = torch.from_numpy(self.rows)
        pieces = [_squared_gaps(torch.from_numpy(Z[start:start + ROWS_AT_ONCE].astype(np.float32)), kept)
                  for start in range(0, len(Z), ROWS_AT_ONCE)]
        return torch.cat(pieces).numpy().astype(np.float64) if pieces else np.empty(Z.shape)


def fit_neighbours(scaled: ScaledRows, seed: int) -> Neighbours:
    """Keep all rows, or a drawn part of many."""
    places = np.arange(len(scaled))
    if len(scaled) > MOST_KEPT_ROWS:
        places = np.sort(np.random.default_rng(seed).choice(len(scaled), MOST_KEPT_ROWS, replace=False))
    return Neighbours(scaled.take_small(places))


def _squared_gaps(Z: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
    distances = torch.cdist(Z, kept)  # (n_rows, n_kept)
    n_nearest = min(N_NEIGHBOURS + 1, len(kept))
    _, places = distances.topk(n_nearest, largest=False)
    gaps = (Z[:, None] - kept[places]).square()  # (n_rows, n_nearest, n_features)
    is_self = gaps.sum(dim=2) == 0
    is_self &= is_self.cumsum(dim=1) == 1
    weights = (~is_self).float()
    weights[:, -1] *= is_self.any(dim=1) | (n_nearest <= N_NEIGHBOURS)  # the sixth stands in for the row itself
    weights /= weights.sum(dim=1, keepdim=True).clamp(min=1)
    return torch.einsum("nk,nkf->nf", weights, gaps)
