"""The autoencoders and their whitenings as few matrices: what is linear is multiplied out.

The bottleneck and the output layer have no activation, and the whitening is linear. So is [scaled input, residual]
in the scaled input z and the second hidden layer h, and the whitened row is z A + h B + c. A column of ones, and a
unit that hands it on, carry the biases.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_training.detector import FittedParts

Floats = NDArray[np.float64]
SmallFloats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class FoldedNetworks:
    """Matrices of rows z / limits with a 1 appended, (n, n_features + 1), for all networks at once.

    After each matrix of `hidden`, (n_networks, n_in + 1, n_out + 1), negative values become 0. The sum of
    z @ `of_rows` and h @ `of_hidden`, whose shapes are (2, n_networks, n_in + 1, n_features), is whitened; its
    squares add up to the mean squared distance.
    """

    hidden: tuple[SmallFloats, ...]
    of_rows: SmallFloats
    of_hidden: SmallFloats


def fold_networks(parts: FittedParts) -> FoldedNetworks:
    """Multiply out in float64, and round once at the end."""
    limits, n_features = parts.scaling.limits, len(parts.scaling.limits)
    first, squeeze, widen, last = (
        with_bias(weight.numpy().astype(np.float64), bias.numpy().astype(np.float64))
        for weight, bias in zip(parts.networks.weights, parts.networks.biases))
    units = np.append(limits, 1.0)[:, None]  # the rows come as shares of the limits
    matrices = np.stack([whitening.matrix for whitening in parts.whitenings])  # (n_networks, 2 n_features, the same)
    centers = np.stack([whitening.center for whitening in parts.whitenings])[:, None]
    of_input, of_residual = matrices[:, :n_features], matrices[:, n_features:]
    of_rows = np.concatenate([of_input + of_residual, -centers @ matrices], axis=1) * units
    of_hidden = -last[..., :-1] @ of_residual
    scale = (len(matrices) * 2 * n_features) ** -0.5
    return FoldedNetworks(
        tuple(weights.astype(np.float32) for weights in (first * units, squeeze @ widen)),
        _in_halves(of_rows * scale), _in_halves(of_hidden * scale))


def with_bias(weights: Floats, biases: Floats) -> Floats:
    """Return (n_networks, n_in + 1, n_out + 1): one more input, of 1, gives the biases and is handed on."""
    n_networks, n_in, n_out = weights.shape
    joined = np.zeros((n_networks, n_in + 1, n_out + 1))
    joined[:, :n_in, :n_out], joined[:, n_in:, :n_out], joined[:, n_in, n_out] = weights, biases, 1.0
    return joined


def _in_halves(matrices: Floats) -> SmallFloats:
    """Return (2, n_networks, n_in, n_features) of (n_networks, n_in, 2 n_features): of the rows, of the residuals."""
    return np.stack(np.split(matrices, 2, axis=2)).astype(np.float32)
