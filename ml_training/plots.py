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
    from matplotlib.axis import Axis

Floats = NDArray[np.float64]

WIDTH_INCHES, HEIGHT_INCHES, DOTS_PER_INCH = 7.0, 4.0, 100
N_BINS = 40
N_FEATURES_SHOWN, N_REPOSITORIES_SHOWN = 20, 12
PERCENTS_SHOWN = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
SMALLEST_SHARE_SHOWN = 0.1  # %, on axes that know no 0
SPLITS_IN_WORDS = {"train": "fitted", "validation": "decided when to stop", "test": "judged, the last ones"}


def draw_plots(folder: Path, epochs: Sequence[Epoch], scores: Floats, splits: NDArray[np.str_], threshold: float,
               mean_contributions: dict[str, float]) -> None:
    """Write loss.png, scores.png and features.png into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    _draw(folder / "loss.png", lambda axes: _loss(axes, epochs))
    _draw(folder / "scores.png", lambda axes: _scores(axes, scores, splits, threshold))
    _draw(folder / "features.png", lambda axes: _features(axes, mean_contributions))


def draw_alert_budgets(path: Path, curves: Mapping[str, BudgetCurve], known: str = "known incidents") -> None:
    """Draw how many alerts a budget really gives, and, where some are known, how many of the `known` it finds."""
    _draw(path, lambda axes: _alert_budgets(axes, curves, known))


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


def _alert_budgets(axes: "Axes", curves: Mapping[str, BudgetCurve], known: str) -> None:
    is_recall = any(curve.n_known for curve in curves.values())
    for name, curve in curves.items():
        flagged, recall = 100 * curve.flagged, 100 * curve.recall
        if curve.n_known:
            axes.plot(flagged[:, 0], recall[:, 0], marker="o", markersize=4, label=name)
            axes.fill_between(flagged[:, 0], recall[:, 1], recall[:, 2], alpha=0.15)
        else:
            axes.plot(100 * np.array(curve.budgets), flagged[:, 0], marker="o", markersize=4, label=name)
    if is_recall:
        _diagonal(axes, next(iter(curves.values())).budgets, "by chance")
        axes.set(xlabel="pull requests really flagged, %", ylabel=f"{known} found, %", ylim=(0, 100), xscale="log")
    else:
        _diagonal(axes, next(iter(curves.values())).budgets, "as stated")
        axes.set(xlabel="alert budget, %", ylabel="pull requests really flagged, %", ylim=(0, None), xscale="log")
    _show_percents(axes.xaxis)
    axes.legend(loc="upper left", frameon=False)


def _calibration(axes: "Axes", budgets: Sequence[float], real: Mapping[str, Sequence[float]]) -> None:
    _diagonal(axes, budgets, "as stated")
    for name, shares in list(real.items())[:N_REPOSITORIES_SHOWN]:
        axes.plot(100 * np.array(budgets), np.maximum(100 * np.array(shares), SMALLEST_SHARE_SHOWN), marker="o",
                  markersize=3, linewidth=1, label=name)
    axes.set(xlabel="alert budget, %", ylabel=f"flagged on the next period, % (0 is drawn at {SMALLEST_SHARE_SHOWN})",
             xscale="log", yscale="log", ylim=(SMALLEST_SHARE_SHOWN * 0.9, None))
    _show_percents(axes.xaxis)
    _show_percents(axes.yaxis)
    axes.legend(loc="upper left", frameon=False, fontsize=7)


def _diagonal(axes: "Axes", budgets: Sequence[float], label: str) -> None:
    shares = 100 * np.geomspace(budgets[0], budgets[-1], 100)
    axes.plot(shares, shares, color="grey", linewidth=1, linestyle=":", label=label)


def _show_percents(axis: "Axis") -> None:
    from matplotlib.ticker import FixedLocator, FormatStrFormatter, NullLocator

    axis.set_major_locator(FixedLocator(PERCENTS_SHOWN))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FormatStrFormatter("%g"))


def _loss(axes: "Axes", epochs: Sequence[Epoch]) -> None:
    steps = [epoch.step for epoch in epochs]
    axes.plot(steps, [epoch.training_loss for epoch in epochs], label="training, mean of a batch")
    axes.plot(steps, [epoch.validation_loss for epoch in epochs], label="validation, median of later rows")
    axes.set(xlabel="step", ylabel="squared residual, scaled units", ylim=(0, None))
    axes.legend(loc="upper right", frameon=False)


def _scores(axes: "Axes", scores: Floats, splits: NDArray[np.str_], threshold: float) -> None:
    edges = np.linspace(0, np.quantile(scores, 0.999) * 1.1 + 1e-9, N_BINS)
    for split, words in SPLITS_IN_WORDS.items():
        axes.hist(np.minimum(scores[splits == split], edges[-1]), edges, histtype="step", density=True, label=words)
    axes.axvline(threshold, color="black", linestyle="--", linewidth=1, label=f"threshold {threshold:.2f}")
    axes.set(xlabel="score", ylabel="density", yscale="log")
    axes.legend(loc="upper right", frameon=False)


def _features(axes: "Axes", mean_contributions: dict[str, float]) -> None:
    shown = sorted(mean_contributions.items(), key=lambda item: item[1])[-N_FEATURES_SHOWN:]
    axes.barh([name for name, _ in shown], [value for _, value in shown])
    axes.set(xlabel="mean share of the score, the most unusual 1 % of rows")
    axes.tick_params(axis="y", labelsize=7)
