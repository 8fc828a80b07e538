"""The registry when two trainings begin at once."""

import pytest
from mlflow import MlflowClient

from ml_training.registry import Registry
from sentinel.errors import UnavailableError
from sentinel.settings import MlflowSettings

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's own, of its database


def test_experiment_that_another_training_makes_meanwhile_is_no_setting_to_fix(mlflow_uri, monkeypatch):
    settings = MlflowSettings(mlflow_tracking_uri=mlflow_uri, model_name="made-twice")
    Registry(settings)
    monkeypatch.setattr(MlflowClient, "get_experiment_by_name", lambda *_: None)  # as it was a moment ago

    with pytest.raises(UnavailableError, match="RESOURCE_ALREADY_EXISTS.*run this again"):
        Registry(settings)
