"""The gate lets a model pass only when it is not worse on the same later rows."""

from dataclasses import replace

import numpy as np
import pytest

from ml_training.gate import Judged, compare_on_later_rows, faults_of, plant_oddities
from ml_training.settings import default_hyperparameters
from sentinel.model import AnomalyModel
from tests.ml_training.small_features import make_rows
from tests.ml_training.small_model import build_small, fit_small

SETTINGS = default_hyperparameters()
GOOD = Judged(planted_recall=0.6, alert_rate=0.03, seconds_per_row=1e-5)


@pytest.fixture(scope="module")
def model():
    return AnomalyModel.from_bytes(build_small(fit_small()))


def compare(model, champion, n_rows=100):
    return compare_on_later_rows(model, champion, make_rows(n_rows, seed=9), np.full(n_rows, "octo/one"), SETTINGS)


def test_first_model_passes_and_says_so(model):
    comparison = compare(model, None)

    assert comparison.passes
    assert "first model" in comparison.reason
    assert 0.2 < comparison.challenger.planted_recall <= 1


def test_equal_model_passes(model):
    comparison = compare(model, model)

    assert comparison.passes
    assert comparison.champion.planted_recall == comparison.challenger.planted_recall


def test_too_few_later_rows_leave_the_champion(model):
    assert not compare(model, model, n_rows=5).passes


@pytest.mark.parametrize("n_rows", [5, 100])
def test_champion_of_other_weights_gives_way(model, n_rows):
    other = AnomalyModel(model._session, replace(model.card, score_fingerprint="beef"))

    comparison = compare(model, other, n_rows)

    assert comparison.passes
    assert "weights of other code" in comparison.reason


@pytest.mark.parametrize("judged, told", [
    (Judged(0.5, 0.03, 1e-5), "planted"), (Judged(0.6, 0.09, 1e-5), "flags 9.0%"), (Judged(0.6, 0.03, 1e-2), "µs"),
])
def test_each_fault_is_told(judged, told):
    faults = faults_of(judged, GOOD)

    assert 1 == len(faults)
    assert told in faults[0]


def test_planted_rows_differ_in_few_features():
    X = make_rows(50)

    planted = plant_oddities(X, seed=0)

    n_changed = [min((~np.isclose(row, real, equal_nan=True)).sum() for real in X) for row in planted]
    assert 8 >= max(n_changed)
    assert 1 <= np.mean(n_changed)
