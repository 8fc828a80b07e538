"""The distance to the nearest of a few fitted rows: the partner that sees what is odd only locally.

Many small draws of the fitted rows rather than all of them: odd rows that lie close together seldom stand in the same
draw, so that they do not hide each other (nearest-neighbour ensembles: Bandaragoda et al. 2018; Sugiyama & Borgwardt
2013 for the draw).
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ml_training.rows import ScaledRows

Floats = NDArray[np.float64]

N_DRAWS, ROWS_OF_A_DRAW = 16, 256  # of 16, 64 and 256 rows the largest was best in both protocols
ROWS_AT_ONCE = 2_048
SMALLEST = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The draws that others are compared with, scaled, each (n_kept, n_features)."""

    draws: tuple[NDArray[np.float32], ...]

    def gaps(self, Z: Floats) -> Floats:
        """Return the distance to the nearest row of a draw, mean of the draws, by feature, (n_rows, n_features).

        A row that was fitted itself is not its own neighbour: one row at no distance is left out.
        """
        gaps = np.zeros(Z.shape)
        for start in range(0, len(Z), ROWS_AT_ONCE):
            piece = torch.from_numpy(Z[start:start + ROWS_AT_ONCE].astype(np.float32))
            for draw in self.draws:
                gaps[start:start + len(piece)] += _gaps(piece, torch.from_numpy(draw)).numpy()
        return gaps / len(self.draws)


def fit_neighbours(scaled: ScaledRows, seed: int) -> Neighbours:
    """Draw rows, or keep all where there are no more than one draw takes."""
    if len(scaled) <= ROWS_OF_A_DRAW:
        return Neighbours((scaled.take_small(np.arange(len(scaled))),))
    generator = np.random.default_rng(seed)
    return Neighbours(tuple(scaled.take_small(np.sort(generator.choice(len(scaled), ROWS_OF_A_DRAW, replace=False)))
                            for _ in range(N_DRAWS)))


def _gaps(Z: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
    _, places = torch.cdist(Z, kept).topk(min(2, len(kept)), largest=False)
    squares = (Z[:, None] - kept[places]).square()  # (n_rows, 2, n_features), exact where the distances are not
    totals = squares.sum(dim=2)
    nearest, other = totals.min(dim=1), totals.max(dim=1)
    chosen = torch.where(nearest.values == 0, other.indices, nearest.indices)
    squares = squares[torch.arange(len(Z)), chosen]  # (n_rows, n_features)
    return squares / squares.sum(dim=1, keepdim=True).sqrt().clamp(min=SMALLEST)
