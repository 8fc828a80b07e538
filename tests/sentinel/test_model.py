"""The model file: the graph says what torch says, and nothing else is opened."""

import hashlib

import numpy as np
import onnx
import pytest
from onnx import helper

from sentinel.errors import CorruptFileError, DataUnusableError, FingerprintError, NotFoundError
from sentinel.features import FEATURE_NAMES
from sentinel.model import METADATA, AnomalyModel
from tests.ml_training.small_features import make_rows
from tests.ml_training.small_model import build_small, fit_small


@pytest.fixture(scope="module")
def detector():
    return fit_small()


@pytest.fixture(scope="module")
def content(detector):
    return build_small(detector, **{"octo/strict": 0.0})


@pytest.fixture(scope="module")
def model(content):
    return AnomalyModel.from_bytes(content)


def test_graph_scores_as_torch_does(detector, model):
    X = make_rows(300, seed=5)
    X[0] = 1e9

    scored = model.score(X)

    assert np.allclose(detector.decision_function(X), scored.scores, rtol=1e-4)
    assert np.allclose(detector.contributions(X), scored.contributions, atol=1e-4)


@pytest.mark.parametrize("value", [np.nan, 0.0, -1e9, 1e-300, 1e30])
def test_graph_scores_as_torch_does_far_from_everything_fitted(detector, model, value):
    X = make_rows(60, seed=5)
    X[np.diag_indices(len(X))] = value  # in one column of each row
    X[0] = value

    scored = model.score(X)

    assert np.allclose(detector.decision_function(X), scored.scores, rtol=1e-4)
    assert np.allclose(detector.contributions(X), scored.contributions, rtol=1e-4, atol=1e-4)


def test_graph_has_few_nodes(content):
    """For one row, a score costs what its nodes cost."""
    assert len(onnx.load_from_string(content).graph.node) < 50


def test_contributions_add_up_to_the_score(model):
    scored = model.score(make_rows(50, seed=6))

    assert np.allclose(scored.scores, scored.contributions.sum(axis=1), rtol=1e-12)


def test_decision_is_score_above_threshold(model):
    scored = model.score(make_rows(400, seed=7))

    assert np.array_equal(scored.scores > model.threshold, scored.is_unusual)
    assert 0 < scored.is_unusual.sum() < 400


def test_surprise_raises_the_score_and_its_own_contribution(model):
    row = np.array([[0.5] * len(FEATURE_NAMES)])
    column = FEATURE_NAMES.index("silence_surprise")
    raised = row.copy()
    raised[0, column] = 8.0

    before, after = model.score(row), model.score(raised)

    assert after.scores[0] > before.scores[0] + 0.1
    assert column == (after.contributions - before.contributions)[0].argmax()


def test_no_rows_give_no_scores(model):
    assert (0, len(FEATURE_NAMES)) == model.score(np.empty((0, len(FEATURE_NAMES)))).contributions.shape


def test_percentile_is_the_share_of_this_repository_below(model, detector):
    middle = float(np.median(detector.decision_scores_))

    assert 50 == pytest.approx(model.percentile("octo/unknown", middle), abs=1)
    assert model.percentile("octo/high", middle) < 20
    assert (0.0, 100.0) == (model.percentile("any/where", -1.0), model.percentile("any/where", 1e9))


def test_repository_may_have_its_own_threshold(model):
    assert 0.0 == model.threshold_of("octo/strict")
    assert model.threshold == model.threshold_of("octo/one")


def test_other_feature_code_is_refused(model):
    with pytest.raises(FingerprintError, match="fingerprint f00d, but this code computes beef"):
        model.check_fingerprint("beef")


@pytest.mark.parametrize("X, seen", [(np.ones((2, 3)), r"shape \(2, 3\)"), (np.ones(4), r"shape \(4,\)"),
                                     (np.full((1, len(FEATURE_NAMES)), np.inf), "infinite values")])
def test_rows_of_another_kind_are_refused(model, X, seen):
    with pytest.raises(DataUnusableError, match=seen):
        model.score(X)


@pytest.mark.parametrize("damage", [
    lambda content: content[:len(content) // 2], lambda content: b"", lambda content: b"PK\x03\x04" + content,
])
def test_file_cut_short_or_of_another_kind_is_refused(content, damage):
    with pytest.raises(CorruptFileError, match="no ONNX graph that can be opened|no metadata"):
        AnomalyModel.from_bytes(damage(content))


def test_altered_weights_are_refused(content):
    graph = onnx.load_from_string(content)
    weight = max(graph.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    weight.raw_data = bytes(len(weight.raw_data))

    with pytest.raises(CorruptFileError, match="the probe rows score"):
        AnomalyModel.from_bytes(graph.SerializeToString())


def test_file_of_another_hash_is_refused(content):
    assert AnomalyModel.from_bytes(content, hashlib.sha256(content).hexdigest())
    with pytest.raises(CorruptFileError, match="seen sha256 .* expected 0000"):
        AnomalyModel.from_bytes(content, "0000")


@pytest.mark.parametrize("metadata", [{}, {METADATA: "{}"}, {METADATA: "no JSON"}])
def test_graph_of_another_program_is_refused(content, metadata):
    graph = onnx.load_from_string(content)
    del graph.metadata_props[:]
    helper.set_model_props(graph, metadata)

    with pytest.raises(CorruptFileError, match="no metadata of this version"):
        AnomalyModel.from_bytes(graph.SerializeToString())


def test_missing_file_is_named(tmp_path):
    with pytest.raises(NotFoundError, match="model.onnx: no model file"):
        AnomalyModel.load(tmp_path / "model.onnx")
