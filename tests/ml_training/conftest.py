"""A model trained once on a small made-up run, in a real MLflow."""

from pathlib import Path

import pytest

from ml_training.settings import default_hyperparameters
from sentinel.object_store import FolderStore
from tests.ml_training.small_features import make_rows, publish_features

REPOSITORIES = ("octo/one", "octo/two")


@pytest.fixture(scope="session")
def mlflow_uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return an MLflow of this session: an SQLite file, whose tables take seconds to make."""
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db"


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    """Return an empty store."""
    return FolderStore((tmp_path / "store").as_uri(), tmp_path / "store")


@pytest.fixture
def features(store: FolderStore):
    """Publish 160 rows of two repositories."""
    return publish_features(store, make_rows(160), REPOSITORIES)


@pytest.fixture
def settings():
    """Return hyperparameters that train in a moment."""
    return default_hyperparameters(max_steps=20, min_steps=20, n_networks=2, trimmed_networks=1, hidden_width=8)
