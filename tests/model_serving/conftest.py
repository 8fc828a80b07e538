"""A real model, trained once on made-up repositories and copied for serving."""

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from pydantic import SecretStr

from model_serving.app import create_app
from model_serving.scorer import Scorer
from model_serving.settings import ServingSettings
from sentinel.object_store import open_object_store
from tests.model_serving.made_up_harbour import publish_harbour
from tests.model_serving.made_up_model import copy_model, train_on

TOKEN = "a-made-up-token"


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> ServingSettings:
    """Return settings under which a champion was copied; no MLflow is there."""
    folder = tmp_path_factory.mktemp("serving")
    settings = ServingSettings(
        mlflow_tracking_uri=f"sqlite:///{folder / 'mlflow.db'}", object_store_uri=(folder / "objects").as_uri(),
        champion_folder=folder / "champion", port=0, workers=2, graceful_seconds=5,
    )
    store = open_object_store(settings)
    content = train_on(store, publish_harbour(store))
    copy_model(settings, content)
    return settings


@pytest.fixture(scope="session")
def scorer(settings: ServingSettings) -> Scorer:
    """Return a scorer with the champion loaded."""
    scorer = Scorer(settings.champion_folder)
    assert scorer.load()
    return scorer


@pytest.fixture(scope="session")
def client(scorer: Scorer, settings: ServingSettings) -> Iterator[FlaskClient]:
    """Return a client of the application, without a token."""
    with create_app(scorer, settings).test_client() as client:
        yield client


@pytest.fixture
def guarded_client(scorer: Scorer, settings: ServingSettings) -> FlaskClient:
    """Return a client of an application that wants a token."""
    return create_app(scorer, settings.model_copy(update={"api_token": SecretStr(TOKEN)})).test_client()
