"""Bring columns of any scale to comparable units; absent values land in the middle.

t = (x - center) / spread; y = asinh(t) on heavy-tailed columns, else t; z = (y - mean) / deviation.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

QUARTILES_TO_DEVIATION = 1.349  # interquartile range of a normal distribution, in standard deviations
HEAVY_TAIL_MOMENT = 10.0  # fourth standardised moment above which a column counts as heavy-tailed; normal: 3
LARGEST_RATIO = 1e15  # keeps the square in asinh finite in float64
LARGEST_SCALED = 1e3  # keeps float32 exact enough
SMALLEST_SPREAD = 1e-290  # below it 1 / spread overflows


@dataclass(frozen=True, slots=True)
class Scaling:
    """How each column is scaled; every array has shape (n_features,)."""

    centers: Floats
    spreads: Floats
    is_heavy: NDArray[np.bool_]
    means: Floats
    deviations: Floats
    limits: Floats  # scaled values are cut at ± these

    def transform(self, X: Floats) -> Floats:
        """Return X (n_rows, n_features) scaled; NaN becomes 0, which is the middle."""
        stretched = _stretch(X, self.centers, self.spreads, self.is_heavy)
        scaled = np.clip((stretched - self.means) / self.deviations, -self.limits, self.limits)
        return np.where(np.isnan(X), 0.0, scaled)


def fit_scaling(columns: Iterable[Floats], in_nats: NDArray[np.bool_], limit: float = LARGEST_SCALED) -> Scaling:
    """Learn the scaling from the present values of each column.

    Columns that are `in_nats`, (n_features,), are in comparable units already: only their mean moves to 0. The others
    are cut at ±`limit` deviations.
    """
    fitted = [_center_only(present) if is_in_nats else _fit_column(present)
              for is_in_nats, present in zip(in_nats, columns)]
    centers, spreads, is_heavy, means, deviations = (np.array(values) for values in zip(*fitted))
    limits = np.where(in_nats, LARGEST_SCALED, limit)
    return Scaling(centers, spreads, is_heavy.astype(bool), means, deviations, limits)


def _center_only(values: Floats) -> tuple[float, float, bool, float, float]:
    return 0.0, 1.0, False, float(values.mean()) if len(values) else 0.0, 1.0


def _fit_column(values: Floats) -> tuple[float, float, bool, float, float]:
    if len(values) == 0:
        return 0.0, 1.0, False, 0.0, 1.0
    low, center, high = np.quantile(values, (0.25, 0.5, 0.75))
    largest = float(np.abs(values - center).max())
    if largest < SMALLEST_SPREAD:  # constant: the value itself is the only unit there is
        return float(center), max(abs(float(center)), SMALLEST_SPREAD) if center else 1.0, False, 0.0, 1.0
    centered = (values - center) / largest  # in -1..1, so that no square overflows
    deviation = float(centered.std())
    spread = float(high - low) / largest / QUARTILES_TO_DEVIATION or deviation
    is_heavy = _fourth_moment(centered) > HEAVY_TAIL_MOMENT
    spread_here = max(spread * largest, SMALLEST_SPREAD)
    one = np.array([spread_here])
    stretched = _stretch(values[:, None], np.array([center]), one, np.array([is_heavy]))
    return float(center), spread_here, is_heavy, float(stretched.mean()), float(stretched.std()) or 1.0


def _fourth_moment(values: Floats) -> float:
    deviation = values.std()
    if deviation == 0:
        return 0.0
    return float((((values - values.mean()) / deviation) ** 4).mean())


def _stretch(X: Floats, centers: Floats, spreads: Floats, is_heavy: NDArray[np.bool_]) -> Floats:
    ratios = np.clip((X - centers) / spreads, -LARGEST_RATIO, LARGEST_RATIO)
    return np.where(is_heavy, np.arcsinh(ratios), ratios)
