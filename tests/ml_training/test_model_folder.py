"""What MLflow keeps of a model: others can load it, and the card tells what it is."""

import mlflow
import numpy as np
import pytest

from ml_training.card_text import CardFacts, describe
from ml_training.environment import describe_environment, installed_packages
from ml_training.model_folder import write_model_folder
from sentinel.model import AnomalyModel
from tests.ml_training.small_features import make_rows, publish_features
from tests.ml_training.small_model import build_small, fit_small

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:mlflow", "ignore::UserWarning:mlflow")
FIGURES = {"n_train": 105, "n_validation": 22, "n_test": 23, "flagged_share_test": 0.0435,
           "gate_challenger_planted_recall": 0.62, "gate_challenger_seconds_per_row": 1.2e-5}


@pytest.fixture(scope="module")
def content():
    return build_small(fit_small())


def facts_about(store, **changes):
    fields = {"provenance": publish_features(store, make_rows(150), ("octo/one", "octo/two")), "figures": FIGURES,
              "gate": "first model", "budgets": (0.01, 0.05), "really_flagged": {"all": np.array([0.013, 0.0477])},
              "environment": describe_environment(installed_packages())}
    return CardFacts(**fields | changes)


def test_mlflow_loads_the_model_and_scores_the_example_alike(content, tmp_path):
    model, rows = AnomalyModel.from_bytes(content), make_rows(4)
    write_model_folder(tmp_path / "model", content, model.card, "# Card", rows, installed_packages())

    loaded = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    example = loaded.input_example

    assert np.array_equal(rows, example["features"], equal_nan=True)
    assert np.isnan(rows).any()
    assert np.allclose(model.score(rows).scores, loaded.predict(example)["score"], rtol=1e-12)
    assert "onnxruntime==" in (tmp_path / "model" / "requirements.txt").read_text()


def test_card_tells_purpose_data_figures_limits_and_environment(content, store):
    text = describe(AnomalyModel.from_bytes(content).card, facts_about(store))

    for told in ("does not say that one is malicious", "| pull requests | 150 of 2 repositories", "| fitted on | 105, ",
                 "| flagged of the judged ones | 4.35% |", "among the highest 5 %, this model | 62% |",
                 "| the gate | first model |", "| all | 1.30% | 4.77% |", "promises nothing about real attacks",
                 "| octo/high | 150 | ", "| torch | "):
        assert told in text


def test_card_without_later_rows_says_so(content, store):
    text = describe(AnomalyModel.from_bytes(content).card, facts_about(store, really_flagged={}))

    assert "Too few later pull requests" in text
