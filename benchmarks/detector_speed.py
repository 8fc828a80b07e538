"""Time the detector's fit beside PyOD's autoencoder, and the exported graph's scoring, in one run on one core.

    OMP_NUM_THREADS=1 python benchmarks/detector_speed.py [--rows 1000 10000] [--columns 30]

PyOD takes part where it is installed. Both fit the same table, in turn; the figures are CPU seconds of the process,
so that other programs on the machine do not count.
"""

import argparse
import time
from collections.abc import Callable

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

ODD_SHARE = 0.05
N_SCORED = 100_000


def main() -> None:
    """Print seconds, AUROC and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--columns", type=int, default=30)
    arguments = parser.parse_args()
    for n_rows in arguments.rows:
        X, is_odd = make_table(n_rows, arguments.columns)
        ours, scores = timed(lambda: AutoencoderDetector().fit(X).decision_scores_)
        line = f"{n_rows} rows: ours {ours:.2f} s, AUROC {roc_auc_score(is_odd, scores):.3f}"
        theirs = pyod_fit(X)
        if theirs is not None:
            seconds, other_scores = timed(theirs)
            line += (f"; PyOD {seconds:.2f} s, AUROC {roc_auc_score(is_odd, other_scores):.3f}; "
                     f"{seconds / ours:.1f} times faster")
        print(line, flush=True)
    print(f"graph: {rows_per_second(arguments.columns):,.0f} rows/s on one core")


def make_table(n_rows: int, n_columns: int) -> tuple[Floats, NDArray[np.bool_]]:
    """Make dependent columns; in a share of the rows the dependence is broken."""
    generator = np.random.default_rng(0)
    X = np.tanh(generator.normal(size=(n_rows, 5)) @ generator.normal(size=(5, n_columns)))
    X += 0.1 * generator.normal(size=X.shape)
    is_odd = generator.random(n_rows) < ODD_SHARE
    for column in X.T:
        column[is_odd] = generator.choice(column, is_odd.sum())
    return X, is_odd


def pyod_fit(X: Floats) -> Callable[[], Floats] | None:
    """Return PyOD's fit at its defaults, or None where it is not installed."""
    try:
        from pyod.models.auto_encoder import AutoEncoder
    except ImportError:
        return None
    scores: Callable[[], Floats] = lambda: AutoEncoder(verbose=0, random_state=0).fit(X).decision_scores_  # noqa: E731
    return scores


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
