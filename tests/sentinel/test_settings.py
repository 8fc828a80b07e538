"""Settings are read at once, reported at once, and hide secrets."""

import pytest
from pydantic import ValidationError

from sentinel.errors import SettingsError
from sentinel.settings import MlflowSettings, MongoSettings, ObjectStoreSettings, environment_of, load_settings


class StageSettings(MongoSettings, ObjectStoreSettings, MlflowSettings):
    """All shared parts together, as a stage composes them."""


@pytest.fixture
def no_settings(monkeypatch):
    for variable in ("MONGODB_URI", "SENTINEL_OBJECT_STORE_URI", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(variable, raising=False)
    return monkeypatch


def test_all_missing_settings_are_listed_at_once(no_settings):
    with pytest.raises(SettingsError) as caught:
        load_settings(StageSettings)

    text = str(caught.value)
    assert ["MONGODB_URI", "MLFLOW_TRACKING_URI", "SENTINEL_OBJECT_STORE_URI"] == [
        name for name in ("MONGODB_URI", "MLFLOW_TRACKING_URI", "SENTINEL_OBJECT_STORE_URI") if name in text]
    assert "for example s3://sentinel/production" in text
    assert 2 == caught.value.exit_code


def test_a_wrong_value_is_named_but_not_shown(no_settings):
    no_settings.setenv("MONGODB_URI", "mongodb://user:hunter2@host")
    no_settings.setenv("SENTINEL_MONGODB_BUDGET_SECONDS", "hunter2")

    with pytest.raises(SettingsError) as caught:
        load_settings(MongoSettings)

    assert "SENTINEL_MONGODB_BUDGET_SECONDS (set)" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_value_of_the_command_line_wins_over_the_environment(no_settings):
    no_settings.setenv("MLFLOW_TRACKING_URI", "http://from-environment")

    settings = load_settings(MlflowSettings, mlflow_tracking_uri="http://from-command-line", model_name=None)

    assert "http://from-command-line" == settings.mlflow_tracking_uri
    assert "pull-request-anomaly" == settings.model_name


def test_a_secret_is_hidden_when_printed(no_settings):
    settings = load_settings(MongoSettings, mongodb_uri="mongodb://user:hunter2@host")

    assert "hunter2" not in repr(settings)
    assert "mongodb://user:hunter2@host" == settings.mongodb_uri.get_secret_value()


def test_settings_are_frozen(no_settings):
    settings = load_settings(MongoSettings, mongodb_uri="mongodb://host")

    with pytest.raises(ValidationError, match="frozen"):
        settings.mongodb_database = "other"


def test_another_process_gets_equal_settings_through_the_environment(no_settings):
    settings = load_settings(StageSettings, mongodb_uri="mongodb://user:hunter2@host", s3_secret_key="key",
                             object_store_uri="s3://bucket/prefix", mlflow_tracking_uri="http://mlflow")

    for variable, value in environment_of(settings).items():
        no_settings.setenv(variable, value)

    assert settings == load_settings(StageSettings)
