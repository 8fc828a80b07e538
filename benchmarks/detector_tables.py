"""Compare the detector with the libraries' on public tables, side by side in one run.

    python benchmarks/detector_tables.py [--tables development|wider|reported] [--half A] [--seeds 3] [--without NAME]

Two protocols: *unsupervised* (fit on all rows, score the same rows) and *one-class* (fit on half of the usual
rows, score the rest). The figure is the mean AUROC over the seeds, times 100. Tables are bundled with
scikit-learn or made by its generators; `development` and half A of `wider` chose our settings, half B of `wider`
confirmed them, `reported` never did either.
PyOD's autoencoder takes part where PyOD is installed.
"""

import argparse
import time
import warnings
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from sklearn import datasets
from sklearn.covariance import MinCovDet
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

from wider_tables import wider_tables
from ml_training.detector import AutoencoderDetector

Floats = NDArray[np.float64]
Table = tuple[Floats, NDArray[np.bool_]]
Scorer = Callable[[Floats, Floats, int], Floats]

PROTOCOLS = ("unsupervised", "one-class")
ODD_SHARE = 0.05


def main() -> None:
    """Print one row a table and the means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", choices=("development", "wider", "reported"), default="reported")
    parser.add_argument("--half", choices=("A", "B", "both"), default="both", help="of the wider tables")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--protocols", nargs="+", choices=PROTOCOLS, default=PROTOCOLS)
    parser.add_argument("--without", nargs="*", default=[])
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    scorers = {name: scorer for name, scorer in all_scorers().items() if name not in arguments.without}
    tables = dict({"development": development_tables, "wider": lambda: wider_tables(arguments.half),
                   "reported": reported_tables}[arguments.tables]())
    for protocol in arguments.protocols:
        print(f"\n| {protocol} | rows × columns | {' | '.join(scorers)} |\n|{' --- |' * (len(scorers) + 2)}")
        results = []
        for name, make in tables.items():
            figures = [np.mean([judge(scorer, *make(seed), protocol, seed) for seed in range(arguments.seeds)])
                       for scorer in scorers.values()]
            results.append(figures)
            n_rows, n_columns = make(0)[0].shape
            print(f"| {name} | {n_rows} × {n_columns} | {' | '.join(f'{100 * f:.1f}' for f in figures)} |", flush=True)
        print(f"| **mean** | | {' | '.join(f'**{100 * f:.1f}**' for f in np.mean(results, axis=0))} |")
    print("\nseconds in all:", {name: round(seconds, 1) for name, seconds in SECONDS.items()})


SECONDS: dict[str, float] = {}


def judge(scorer: Scorer, X: Floats, is_odd: NDArray[np.bool_], protocol: str, seed: int) -> float:
    """Return the AUROC of one detector on one table."""
    fitted, judged = np.arange(len(X)), np.arange(len(X))
    if protocol == "one-class":
        usual = np.random.default_rng(seed).permutation(np.flatnonzero(~is_odd))
        fitted = np.sort(usual[:len(usual) // 2])
        judged = np.setdiff1d(judged, fitted)
    started = time.perf_counter()
    scores = scorer(X[fitted], X[judged], seed)
    name = getattr(scorer, "__name__", "?")
    SECONDS[name] = SECONDS.get(name, 0.0) + time.perf_counter() - started
    return float(roc_auc_score(is_odd[judged], scores))


def all_scorers() -> dict[str, Scorer]:
    """Return the detectors by name; each fits on the first table and scores the second."""
    scorers: dict[str, Scorer] = {"ours": ours, "isolation forest": forest, "kNN": neighbours, "MCD": covariance}
    try:
        from pyod.models.auto_encoder import AutoEncoder  # noqa: F401
    except ImportError:
        return scorers
    return scorers | {"PyOD AutoEncoder": pyod_autoencoder}


def ours(X: Floats, X_new: Floats, seed: int) -> Floats:
    """Score with our detector."""
    return AutoencoderDetector(random_state=seed).fit(X).decision_function(X_new)


def forest(X: Floats, X_new: Floats, seed: int) -> Floats:
    """Score with scikit-learn's isolation forest."""
    return -IsolationForest(random_state=seed).fit(X).score_samples(X_new)


def neighbours(X: Floats, X_new: Floats, seed: int) -> Floats:
    """Score by the distance to the fifth neighbour among standardised rows."""
    scaler = StandardScaler().fit(X)
    same = X is X_new or (X.shape == X_new.shape and np.array_equal(X, X_new))
    k = min(6 if same else 5, len(X))  # a row is its own first neighbour
    return NearestNeighbors(n_neighbors=k).fit(scaler.transform(X)).kneighbors(scaler.transform(X_new))[0][:, -1]


def covariance(X: Floats, X_new: Floats, seed: int) -> Floats:
    """Score by the robust Mahalanobis distance (minimum covariance determinant) among standardised rows."""
    scaler = StandardScaler().fit(X)
    return MinCovDet(random_state=seed).fit(scaler.transform(X)).mahalanobis(scaler.transform(X_new))


def pyod_autoencoder(X: Floats, X_new: Floats, seed: int) -> Floats:
    """Score with PyOD's autoencoder at its defaults, but a batch of at most all rows, without which it fails."""
    from pyod.models.auto_encoder import AutoEncoder

    return AutoEncoder(random_state=seed, verbose=0, batch_size=min(32, len(X))).fit(X).decision_function(X_new)


def development_tables() -> Iterator[tuple[str, Callable[[int], Table]]]:
    """Yield the tables that chose our settings."""
    for digit in range(3):
        yield f"digits: {digit} among the others", bundled("digits", lambda y, d=digit: y == d)
        yield f"digits: others among {digit}", bundled("digits", lambda y, d=digit: y != d)
    yield "iris: others among setosa", bundled("iris", lambda y: y != 0)
    yield "wine: others among 0", bundled("wine", lambda y: y != 0)
    yield "breast cancer: benign among malignant", bundled("breast_cancer", lambda y: y == 1)
    yield "blobs, far points", made(blobs, far)
    yield "blobs, a foreign group", made(blobs, group)
    yield "friedman, broken dependence", made(friedman, shuffled)
    yield "moons, far points", made(moons, far)


def reported_tables() -> Iterator[tuple[str, Callable[[int], Table]]]:
    """Yield the tables that chose nothing."""
    for digit in range(4, 7):
        yield f"digits: {digit} among the others", bundled("digits", lambda y, d=digit: y == d)
    for digit in range(7, 10):
        yield f"digits: others among {digit}", bundled("digits", lambda y, d=digit: y != d)
    yield "iris: others among versicolor", bundled("iris", lambda y: y != 1)
    yield "iris: others among virginica", bundled("iris", lambda y: y != 2)
    yield "wine: others among 1", bundled("wine", lambda y: y != 1)
    yield "wine: others among 2", bundled("wine", lambda y: y != 2)
    yield "breast cancer: malignant among benign", bundled("breast_cancer", lambda y: y == 0)
    yield "swiss roll, far points", made(swiss_roll, far)
    yield "low-rank, broken dependence", made(low_rank, shuffled)
    yield "classification, wider spread", made(classification, wider)
    yield "S curve, a foreign group", made(s_curve, group)


def bundled(name: str, is_odd_class: Callable[[NDArray[np.int64]], NDArray[np.bool_]]) -> Callable[[int], Table]:
    """Return a maker of a table of scikit-learn in which the odd class is thinned to ODD_SHARE."""
    def make(seed: int) -> Table:
        X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
        odd, usual = np.flatnonzero(is_odd_class(y)), np.flatnonzero(~is_odd_class(y))
        generator = np.random.default_rng(seed)
        wanted = max(3, round(len(usual) * ODD_SHARE / (1 - ODD_SHARE)))
        rows = generator.permutation(np.concatenate([usual, generator.permutation(odd)[:wanted]]))
        return X[rows].astype(float), is_odd_class(y)[rows]
    return make


def made(usual: Callable[[int], Floats], plant: Callable[[Floats, Floats, np.random.Generator], Floats],
         ) -> Callable[[int], Table]:
    """Return a maker of a generated table in which a share of rows is replaced by planted ones."""
    def make(seed: int) -> Table:
        X, generator = usual(seed), np.random.default_rng(seed)
        is_odd = np.zeros(len(X), bool)
        is_odd[generator.choice(len(X), round(len(X) * ODD_SHARE), replace=False)] = True
        X[is_odd] = plant(X[is_odd], X, generator)
        return X, is_odd
    return make


def blobs(seed: int) -> Floats:
    """Make five round groups in eight columns."""
    return datasets.make_blobs(1_500, 8, centers=5, random_state=seed)[0]


def moons(seed: int) -> Floats:
    """Make two half circles."""
    return datasets.make_moons(1_000, noise=0.08, random_state=seed)[0]


def friedman(seed: int) -> Floats:
    """Make ten columns and their nonlinear outcome."""
    X, y = datasets.make_friedman1(1_500, random_state=seed)
    return np.column_stack([X, y])


def swiss_roll(seed: int) -> Floats:
    """Make a rolled sheet."""
    return datasets.make_swiss_roll(1_200, noise=0.3, random_state=seed)[0]


def s_curve(seed: int) -> Floats:
    """Make a bent sheet."""
    return datasets.make_s_curve(1_200, noise=0.1, random_state=seed)[0]


def low_rank(seed: int) -> Floats:
    """Make forty columns that few directions carry."""
    return datasets.make_low_rank_matrix(1_500, 40, effective_rank=6, tail_strength=0.1, random_state=seed) * 1e3


def classification(seed: int) -> Floats:
    """Make twenty columns, some redundant."""
    return datasets.make_classification(1_500, 20, n_informative=8, n_redundant=6, random_state=seed)[0]


def far(odd: Floats, X: Floats, generator: np.random.Generator) -> Floats:
    """Draw rows evenly from a box that is a tenth larger than the table's."""
    low, high = X.min(axis=0), X.max(axis=0)
    return generator.uniform(low - 0.1 * (high - low), high + 0.1 * (high - low), odd.shape)


def group(odd: Floats, X: Floats, generator: np.random.Generator) -> Floats:
    """Draw a narrow group of its own, two deviations off the middle."""
    return X.mean(axis=0) + X.std(axis=0) * (2 * generator.choice([-1, 1], X.shape[1])
                                             + 0.3 * generator.normal(size=odd.shape))


def shuffled(odd: Floats, X: Floats, generator: np.random.Generator) -> Floats:
    """Keep every column's values and break how they go together."""
    return np.column_stack([generator.choice(column, len(odd)) for column in X.T])


def wider(odd: Floats, X: Floats, generator: np.random.Generator) -> Floats:
    """Stretch rows away from the middle by half."""
    return X.mean(axis=0) + 1.5 * (odd - X.mean(axis=0))


if __name__ == "__main__":
    main()
