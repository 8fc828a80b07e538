"""Plots of one run, drawn without a display."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ml_training.networks import Epoch

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

WIDTH_INCHES, HEIGHT_INCHES, DOTS_PER_INCH = 7.0, 4.0, 100
N_BINS = 80
N_FEATURES_SHOWN = 20


def draw_plots(folder: Path, epochs: Sequence[Epoch], scores: Floats, splits: NDArray[np.str_], threshold: float,
               mean_contributions: dict[str, float]) -> None:
    """Write loss.png, scores.png and features.png into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    _draw(folder / "loss.png", lambda axes: _loss(axes, epochs))
    _draw(folder / "scores.png", lambda axes: _scores(axes, scores, splits, threshold))
    _draw(folder / "features.png", lambda axes: _features(axes, mean_contributions))


def _draw(path: Path, draw: Callable[["Axes"], None]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_INCHES, HEIGHT_INCHES), dpi=DOTS_PER_INCH, layout="constrained")
    axes = figure.subplots()
    draw(axes)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path)


def _loss(axes: "Axes", epochs: Sequence[Epoch]) -> None:
    steps = [epoch.step for epoch in epochs]
    axes.plot(steps, [epoch.training_loss for epoch in epochs], label="training, mean of a batch")
    axes.plot(steps, [epoch.validation_loss for epoch in epochs], label="validation, median of later rows")
    axes.set(xlabel="step", ylabel="squared residual, scaled units", ylim=(0, None))
    axes.legend(frameon=False)


def _scores(axes: "Axes", scores: Floats, splits: NDArray[np.str_], threshold: float) -> None:
    edges = np.linspace(0, np.quantile(scores, 0.999) * 1.1 + 1e-9, N_BINS)
    for split in ("train", "validation", "test"):
        axes.hist(np.minimum(scores[splits == split], edges[-1]), edges, histtype="step", density=True, label=split)
    axes.axvline(threshold, color="black", linestyle="--", linewidth=1, label="threshold")
    axes.set(xlabel="score", ylabel="density", yscale="log")
    axes.legend(frameon=False)


def _features(axes: "Axes", mean_contributions: dict[str, float]) -> None:
    shown = sorted(mean_contributions.items(), key=lambda item: item[1])[-N_FEATURES_SHOWN:]
    axes.barh([name for name, _ in shown], [value for _, value in shown])
    axes.set(xlabel="mean share of the score, the most unusual 1 % of rows")
    axes.tick_params(axis="y", labelsize=7)
