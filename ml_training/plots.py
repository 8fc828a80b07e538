"""Plots of one run, drawn without a display."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ml_training.alert_budgets import BudgetCurve
from ml_training.networks import Epoch

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

WIDTH_INCHES, HEIGHT_INCHES, DOTS_PER_INCH = 7.0, 4.0, 100
N_BINS = 80
N_FEATURES_SHOWN, N_REPOSITORIES_SHOWN = 20, 12


def draw_plots(folder: Path, epochs: Sequence[Epoch], scores: Floats, splits: NDArray[np.str_], threshold: float,
               mean_contributions: dict[str, float]) -> None:
    """Write loss.png, scores.png and features.png into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    _draw(folder / "loss.png", lambda axes: _loss(axes, epochs))
    _draw(folder / "scores.png", lambda axes: _scores(axes, scores, splits, threshold))
    _draw(folder / "features.png", lambda axes: _features(axes, mean_contributions))


def draw_alert_budgets(path: Path, curves: Mapping[str, BudgetCurve]) -> None:
    """Draw how many alerts a budget really gives, and, where incidents are known, how many of them it finds."""
    _draw(path, lambda axes: _alert_budgets(axes, curves))


def draw_calibration(path: Path, budgets: Sequence[float], real: Mapping[str, Sequence[float]]) -> None:
    """Draw the stated budgets against the shares really flagged on the next period, a line per repository."""
    _draw(path, lambda axes: _calibration(axes, budgets, real))


def _draw(path: Path, draw: Callable[["Axes"], None]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_INCHES, HEIGHT_INCHES), dpi=DOTS_PER_INCH, layout="constrained")
    axes = figure.subplots()
    draw(axes)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path)


def _alert_budgets(axes: "Axes", curves: Mapping[str, BudgetCurve]) -> None:
    for name, curve in curves.items():
        budgets = 100 * np.array(curve.budgets)
        flagged, recall = 100 * curve.flagged, 100 * curve.recall
        if curve.n_known:
            axes.plot(flagged[:, 0], recall[:, 0], marker="o", markersize=4, label=f"{name}: known incidents found")
            if curve.n_repositories > 1:
                axes.fill_between(flagged[:, 0], recall[:, 1], recall[:, 2], alpha=0.15)
        else:
            axes.plot(budgets, flagged[:, 0], marker="o", markersize=4, label=f"{name}: really flagged")
            axes.plot(budgets, budgets, color="grey", linewidth=1, linestyle=":", label="as stated")
    is_recall = any(curve.n_known for curve in curves.values())
    axes.set(xlabel="pull requests really flagged, %" if is_recall else "alert budget, %", ylim=(0, None),
             xscale="log", ylabel="known incidents found, %" if is_recall else "pull requests really flagged, %")
    axes.legend(loc="upper left", frameon=False)


def _calibration(axes: "Axes", budgets: Sequence[float], real: Mapping[str, Sequence[float]]) -> None:
    stated = 100 * np.array(budgets)
    axes.plot(stated, stated, color="grey", linewidth=1, linestyle=":", label="as stated")
    for name, shares in list(real.items())[:N_REPOSITORIES_SHOWN]:
        axes.plot(stated, 100 * np.array(shares), marker="o", markersize=3, linewidth=1, label=name)
    axes.set(xlabel="alert budget, %", ylabel="flagged on the next period, %", xscale="log",
             yscale="symlog", ylim=(0, None))
    axes.legend(loc="upper left", frameon=False, fontsize=7)


def _loss(axes: "Axes", epochs: Sequence[Epoch]) -> None:
    steps = [epoch.step for epoch in epochs]
    axes.plot(steps, [epoch.training_loss for epoch in epochs], label="training, mean of a batch")
    axes.plot(steps, [epoch.validation_loss for epoch in epochs], label="validation, median of later rows")
    axes.set(xlabel="step", ylabel="squared residual, scaled units", ylim=(0, None))
    axes.legend(loc="upper right", frameon=False)


def _scores(axes: "Axes", scores: Floats, splits: NDArray[np.str_], threshold: float) -> None:
    edges = np.linspace(0, np.quantile(scores, 0.999) * 1.1 + 1e-9, N_BINS)
    for split in ("train", "validation", "test"):
        axes.hist(np.minimum(scores[splits == split], edges[-1]), edges, histtype="step", density=True, label=split)
    axes.axvline(threshold, color="black", linestyle="--", linewidth=1, label="threshold")
    axes.set(xlabel="score", ylabel="density", yscale="log")
    axes.legend(loc="upper right", frameon=False)


def _features(axes: "Axes", mean_contributions: dict[str, float]) -> None:
    shown = sorted(mean_contributions.items(), key=lambda item: item[1])[-N_FEATURES_SHOWN:]
    axes.barh([name for name, _ in shown], [value for _, value in shown])
    axes.set(xlabel="mean share of the score, the most unusual 1 % of rows")
    axes.tick_params(axis="y", labelsize=7)
