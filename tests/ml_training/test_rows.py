"""A table that lies on disk is fitted a piece at a time, and as one that does not."""

import tracemalloc

import numpy as np
import pytest

from ml_training import detector, rows
from ml_training.detector import AutoencoderDetector
from ml_training.rarities import catalogue_rarities
from ml_training.rows import Rows
from ml_training.settings import default_hyperparameters, table_hyperparameters
from tests.ml_training.small_features import make_rows
from tests.ml_training.small_model import IN_NATS

QUICK = {"max_steps": 20, "min_steps": 20, "n_networks": 2, "trimmed_networks": 1}


@pytest.fixture
def small_pieces(monkeypatch):
    """Let every table count as large."""
    monkeypatch.setattr(rows, "ROWS_AT_ONCE", 256)
    monkeypatch.setattr(rows, "MOST_KEPT_VALUES", 0)


def fit_pull_requests(X):
    return AutoencoderDetector(settings=default_hyperparameters(**QUICK)).fit(
        X, in_nats=IN_NATS, rarities=catalogue_rarities())


@pytest.mark.parametrize("fit", [fit_pull_requests, AutoencoderDetector(settings=table_hyperparameters(**QUICK)).fit])
def test_pieces_give_the_scores_of_the_whole(fit, request):
    X = make_rows(1_500)  # more than 20 rows a column, so that rows are trimmed
    whole = fit(X).decision_function(X)
    request.getfixturevalue("small_pieces")

    by_pieces = fit(X).decision_function(X)

    assert np.allclose(whole, by_pieces, rtol=1e-9)


def test_some_rows_of_a_table_are_fitted_as_a_table_of_their_own(small_pieces):
    X, places = make_rows(400), np.arange(0, 400, 3)

    own, among_others = fit_pull_requests(X[places]), fit_pull_requests(Rows(X, places))

    assert np.array_equal(own.decision_function(X), among_others.decision_function(X))


def test_fitting_holds_no_copy_of_the_table(small_pieces, tmp_path, monkeypatch):
    monkeypatch.setattr(detector, "ROWS_AT_ONCE", 256)
    X = np.memmap(tmp_path / "table", dtype=np.float64, mode="w+", shape=(20_000, 60))
    X[:] = np.random.default_rng(0).normal(size=(1, 60)) + np.arange(20_000)[:, None] % 97
    settings = default_hyperparameters(**QUICK, patience=1)
    tracemalloc.start()

    AutoencoderDetector(settings=settings).fit(Rows(np.asarray(X), np.arange(20_000)))

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < X.nbytes


def test_many_validation_rows_are_thinned_evenly(monkeypatch):
    monkeypatch.setattr(detector, "MOST_VALIDATION_ROWS", 3)
    table = np.arange(9.0)[:, None]
    as_it_is = detector.fit_scaling(iter([np.array([-1.0, 1.0, 0.0])]), np.array([True]))

    deciding = detector._evenly(Rows(table, np.arange(9)), as_it_is)

    assert [[0.0], [4.0], [8.0]] == deciding.tolist()
