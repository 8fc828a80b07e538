"""Aliases move at once, with who and why."""

from datetime import UTC, datetime

import pytest

from ml_training.models import describe_models, promote, roll_back
from ml_training.registry import CHALLENGER, CHAMPION, Registry
from sentinel.errors import NotFoundError
from sentinel.settings import MlflowSettings
from sentinel.verdict_files import champion_version

NOW = datetime(2026, 1, 2, tzinfo=UTC)
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:mlflow", "ignore::DeprecationWarning:alembic")


@pytest.fixture
def registry(mlflow_uri, request):
    """Return a registry with two versions, the first of which is champion and the second challenger."""
    registry = Registry(MlflowSettings(mlflow_tracking_uri=mlflow_uri, model_name=request.node.name))
    for alias in (CHAMPION, CHALLENGER):
        with registry.run("run", {}, {}) as run_id:
            registry.set_alias(alias, registry.register(run_id, {"model_version": alias}).number)
    return registry


def test_promotion_moves_the_alias_and_says_who_and_why(registry, store):
    promote(registry, store, "2", "ada", "finds more", NOW)

    champion = registry.find(CHAMPION)
    assert ("2", "ada", "finds more") == (
        champion.number, champion.tags["promoted_by"], champion.tags["promoted_because"])
    assert registry.find(CHALLENGER) is None
    assert "challenger" == champion_version(store)


def test_rollback_brings_the_predecessor_back(registry, store):
    promote(registry, store, "2", "ada", "finds more", NOW)

    roll_back(registry, store, "bob", "too many alerts", NOW)

    assert "1" == registry.find(CHAMPION).number
    assert "champion" == champion_version(store)
    assert "rolled back from 2: too many alerts" == registry.find(CHAMPION).tags["promoted_because"]


def test_rollback_without_predecessor_is_refused(registry, store):
    with pytest.raises(NotFoundError, match="replaced no other model"):
        roll_back(registry, store, "bob", "", NOW)


def test_unknown_version_is_refused_with_the_known_ones(registry, store):
    with pytest.raises(NotFoundError, match="no version 7; there are: 2, 1"):
        promote(registry, store, "7", "ada", "", NOW)


def test_models_are_listed_newest_first(registry):
    assert [("2", CHALLENGER), ("1", CHAMPION)] == [
        (row["number"], row["aliases"]) for row in describe_models(registry)]
