"""Time the detector's fit beside PyOD's detectors, and the exported graph's scoring, in one run on one core.

    OMP_NUM_THREADS=1 python benchmarks/detector_speed.py [--rows 1000 10000 100000] [--columns 30] [--without kNN]

PyOD takes part where it is installed, at its defaults. All fit the same table and score it, in turn, each in a process
of its own after a small fit that loads what it needs. The figures are CPU seconds of the process, so that other
programs on the machine do not count, and how much its memory grew at most.
"""

import argparse
import importlib.util
import multiprocessing
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from ml_training.assembly import Origin, make_card
from ml_training.detector import AutoencoderDetector
from ml_training.graph import build_graph
from ml_training.rows import rows_of_table
from ml_training.settings import default_hyperparameters
from ml_training.thresholds import Thresholds
from sentinel.model import POOLED, AnomalyModel

Floats = NDArray[np.float64]
Fit = Callable[[Floats], Floats]

ODD_SHARE = 0.05
N_SCORED = 100_000
N_WARM_UP = 200
THEIRS = {"PyOD AutoEncoder": ("auto_encoder", "AutoEncoder", {"verbose": 0, "random_state": 0}),
          "PyOD IForest": ("iforest", "IForest", {"random_state": 0}), "PyOD KNN": ("knn", "KNN", {})}


def main() -> None:
    """Print seconds, memory, AUROC and ratios to ours."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--columns", type=int, default=30)
    parser.add_argument("--without", nargs="*", default=[])
    arguments = parser.parse_args()
    names = ["ours", *(THEIRS if importlib.util.find_spec("pyod") else ())]
    print("| rows | detector | CPU s | times ours | memory grew, MB | times ours | AUROC |\n" + "|---" * 7 + "|")
    for n_rows in arguments.rows:
        ours = None
        for name in (name for name in names if name not in arguments.without):
            figures = measure(name, n_rows, arguments.columns)
            ours = ours or figures
            print(f"| {n_rows:,} | {name} | {figures.seconds:.2f} | {figures.seconds / ours.seconds:.1f} | "
                  f"{figures.megabytes:.0f} | {figures.megabytes / max(ours.megabytes, 1):.1f} | {figures.auroc:.3f} |",
                  flush=True)
    print(f"\ngraph: {rows_per_second(arguments.columns):,.0f} rows/s on one core")


@dataclass(frozen=True, slots=True)
class Figures:
    """What one fit took, and how well it tells odd rows."""

    seconds: float
    megabytes: float
    auroc: float


def measure(name: str, n_rows: int, n_columns: int) -> Figures:
    """Fit in a process of its own, so that its memory is its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measure_here, (name, n_rows, n_columns))


def _measure_here(name: str, n_rows: int, n_columns: int) -> Figures:
    fit, (X, is_odd) = fit_of(name), make_table(n_rows, n_columns)
    fit(make_table(N_WARM_UP, n_columns)[0])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds, scores = timed(lambda: fit(X))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return Figures(seconds, grown / 1e3, float(roc_auc_score(is_odd, scores)))


def fit_of(name: str) -> Fit:
    """Return what fits a detector and scores the same rows."""
    if name == "ours":
        return lambda X: AutoencoderDetector().fit(X).decision_scores_
    module, kind, settings = THEIRS[name]
    detector = getattr(importlib.import_module(f"pyod.models.{module}"), kind)
    return lambda X: detector(**settings).fit(X).decision_scores_


def make_table(n_rows: int, n_columns: int) -> tuple[Floats, NDArray[np.bool_]]:
    """Make dependent columns; in a share of the rows the dependence is broken."""
    generator = np.random.default_rng(0)
    X = np.tanh(generator.normal(size=(n_rows, 5)) @ generator.normal(size=(5, n_columns)))
    X += 0.1 * generator.normal(size=X.shape)
    is_odd = generator.random(n_rows) < ODD_SHARE
    for column in X.T:
        column[is_odd] = generator.choice(column, is_odd.sum())
    return X, is_odd


def timed(call: Callable[[], Floats]) -> tuple[float, Floats]:
    """Return the CPU seconds of a call and its result."""
    started = time.process_time()
    result = call()
    return time.process_time() - started, result


def rows_per_second(n_columns: int) -> float:
    """Score rows through the exported graph and return their number per CPU second."""
    X, _ = make_table(5_000, n_columns)
    detector = AutoencoderDetector(settings=default_hyperparameters()).fit(X)
    names = tuple(f"column_{column}" for column in range(n_columns))
    usual = detector.contributions(X).mean(axis=0)
    card = make_card(detector, rows_of_table(X), usual, Thresholds("mean_plus_two_std", 1.0, {}),
                     {POOLED: detector.decision_scores_}, Origin("speed", names, "", "", "", None))
    model = AnomalyModel.from_bytes(build_graph(detector.parts_, 1.0, card.to_metadata()))
    rows, _ = make_table(N_SCORED, n_columns)
    seconds, _ = timed(lambda: model.score(rows).scores)
    return N_SCORED / seconds


if __name__ == "__main__":
    main()
