"""The job on a small run of features, with a real MLflow beside it."""

import errno
import os
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
from mlflow import MlflowClient

from ml_training.registry import CHALLENGER, CHAMPION, MODEL_FILE, Registry
from ml_training.train_autoencoder import load_registered, train_autoencoder
from ml_training.models import roll_back
from ml_training.verdict_table import SCHEMA, judged_features_run
from sentinel.errors import CorruptFileError, DataUnusableError, FingerprintError, NotFoundError, UnavailableError
from sentinel.features import score
from sentinel.model import POOLED
from sentinel.settings import MlflowSettings
from sentinel.verdict_files import champion_version
from tests.ml_training.small_features import make_rows, publish_features

# MLflow's own, about SQLAlchemy; ours would name a module of ours.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:mlflow", "ignore::DeprecationWarning:alembic")

FLAGS_LITTLE, FLAGS_TOO_MUCH = ({"threshold_rule": "alert_budget", "alert_budget": share} for share in (0.01, 0.4))


@pytest.fixture
def registry(mlflow_uri, request):
    return Registry(MlflowSettings(mlflow_tracking_uri=mlflow_uri, model_name=request.node.name))


def read_verdicts(store, version):
    return pyarrow.parquet.read_table(BytesIO(store.get_bytes(f"verdicts/{version}.parquet")))


def test_first_model_becomes_champion_and_its_verdicts_are_written(features, store, registry, settings):
    facts = train_autoencoder(settings, store, registry)

    champion = registry.find(CHAMPION)
    table = read_verdicts(store, facts["model_version"])
    assert (CHAMPION, True) == (facts["alias"], facts["trained"])
    assert facts["model_version"] == champion.model_version == load_registered(registry, champion).version
    assert SCHEMA.equals(table.schema)
    assert facts["model_version"] == champion_version(store)
    assert 160 == len(table)


def test_verdicts_say_what_the_registered_model_says(features, store, registry, settings):
    facts = train_autoencoder(settings, store, registry)

    table = read_verdicts(store, facts["model_version"])
    model = load_registered(registry, registry.find(CHAMPION))
    scores = model.score(make_rows(160)).scores
    assert np.allclose(scores, table["score"].to_numpy(), rtol=1e-9)
    assert (table["score"].to_numpy() > model.threshold).tolist() == table["is_unusual"].to_pylist()


def test_run_keeps_settings_figures_and_files(features, store, registry, settings, mlflow_uri):
    train_autoencoder(settings, store, registry)

    run = registry._client.get_run(registry.find(CHAMPION).run_id)
    folder = Path(mlflow_uri.removeprefix("sqlite:///")).parent / "mlflow-artifacts" / run.info.run_id / "artifacts"
    assert "FINISHED" == run.info.status
    assert str(settings.ridge) == run.data.params["ridge"]
    assert {"training_loss", "validation_loss", "threshold", "flagged_share_test"} <= run.data.metrics.keys()
    assert features.run_id == run.data.tags["features_run_id"]
    assert {"loss.png", "scores.png", "features.png", "alert_budgets.png", "calibration.png"} == {
        path.name for path in (folder / "plots").iterdir()}
    assert (folder / MODEL_FILE).is_file()
    assert [features.run_id in used.dataset.name for used in run.inputs.dataset_inputs] == [True]
    assert 0 <= run.data.metrics["next_period_share_at_budget_10_permille"] <= 1
    assert "| octo/one | " in (folder / "model" / "card.md").read_text()
    assert np.__version__ == run.data.tags["environment.numpy"]
    assert f"numpy=={np.__version__}" in (folder / "packages.txt").read_text().splitlines()


def test_second_run_does_nothing(features, store, registry, settings):
    first = train_autoencoder(settings, store, registry)

    second = train_autoencoder(settings, store, registry)

    assert (False, first["model_version"]) == (second["trained"], second["model_version"])
    assert 1 == len(registry.versions())


def test_other_weights_train_the_same_features_again(features, store, registry, settings, monkeypatch):
    train_autoencoder(settings, store, registry)
    monkeypatch.setattr(score, "DANGER_WEIGHT", 2.0)

    facts = train_autoencoder(settings, store, registry)

    assert (True, CHAMPION) == (facts["trained"], facts["alias"])
    assert "weights of other code" in facts["gate"]


def test_missing_verdicts_are_written_without_training(features, store, registry, settings):
    first = train_autoencoder(settings, store, registry)
    before = read_verdicts(store, first["model_version"])
    store.delete(f"verdicts/{first['model_version']}.parquet")

    second = train_autoencoder(settings, store, registry)

    assert not second["trained"]
    assert before.equals(read_verdicts(store, first["model_version"]))


def test_model_that_flags_too_much_stays_challenger(features, store, registry, settings):
    champion = train_autoencoder(settings.model_copy(update=FLAGS_LITTLE), store, registry)

    alarming = train_autoencoder(settings.model_copy(update=FLAGS_TOO_MUCH), store, registry)

    assert CHALLENGER == alarming["alias"]
    assert "flags" in alarming["gate"]
    assert champion["model_version"] == registry.find(CHAMPION).model_version == champion_version(store)


def test_champion_that_stays_judges_the_new_features(features, store, registry, settings):
    champion = train_autoencoder(settings.model_copy(update=FLAGS_LITTLE), store, registry)["model_version"]
    later = publish_features(store, make_rows(180), run_id="20260102T000000Z-later")

    train_autoencoder(settings.model_copy(update=FLAGS_TOO_MUCH), store, registry)

    assert 180 == len(read_verdicts(store, champion))
    assert later.run_id == judged_features_run(store, champion)


def test_rollback_stays_and_its_verdicts_become_fresh(features, store, registry, settings):
    first = train_autoencoder(settings, store, registry)["model_version"]
    later = publish_features(store, make_rows(180), run_id="20260102T000000Z-later")
    train_autoencoder(settings, store, registry)
    roll_back(registry, store, "ada", "too many alerts", datetime(2026, 1, 3, tzinfo=UTC))

    facts = train_autoencoder(settings, store, registry)

    assert not facts["trained"]
    assert first == registry.find(CHAMPION).model_version == champion_version(store)
    assert later.run_id == judged_features_run(store, first)


def test_rows_of_later_splits_are_not_fitted(store, registry, settings):
    X = make_rows(160)
    publish_features(store, X)
    first = load_registered(registry, _champion_after(settings, store, registry))
    X[150:] = 7.0
    publish_features(store, X, run_id="20260102T000000Z-later")
    train_autoencoder(settings, store, registry)

    second = load_registered(registry, registry.versions()[0])
    assert np.allclose(first.score(X).scores, second.score(X).scores, rtol=1e-9)


def _champion_after(settings, store, registry):
    train_autoencoder(settings, store, registry)
    return registry.find(CHAMPION)


@pytest.mark.parametrize("n_rows", [1, 19])
def test_too_few_rows_are_refused(store, registry, settings, n_rows):
    publish_features(store, make_rows(n_rows))

    with pytest.raises(DataUnusableError, match=f"seen {n_rows} pull requests, expected at least 20"):
        train_autoencoder(settings, store, registry)


def test_features_of_other_code_are_refused(store, registry, settings):
    publish_features(store, make_rows(30), feature_fingerprint="beef")

    with pytest.raises(FingerprintError, match="fingerprint beef, but this code computes"):
        train_autoencoder(settings, store, registry)


def test_infinite_feature_is_refused(store, registry, settings):
    X = make_rows(30)
    X[3, 2] = np.inf
    publish_features(store, X)

    with pytest.raises(DataUnusableError, match="1 infinite values"):
        train_autoencoder(settings, store, registry)


def test_one_repository_alone_is_enough(store, registry, settings):
    publish_features(store, make_rows(60), ("octo/only",))

    train_autoencoder(settings, store, registry)

    card = load_registered(registry, registry.find(CHAMPION)).card
    assert {POOLED, "octo/only"} == card.n_references.keys()


def test_feature_that_is_always_absent_says_nothing(store, registry, settings):
    X = make_rows(60)
    X[:, 2] = np.nan
    publish_features(store, X)

    train_autoencoder(settings, store, registry)

    contributions = load_registered(registry, registry.find(CHAMPION)).score(X).contributions
    assert np.isfinite(contributions).all()
    assert 0 < contributions.sum()


def test_part_cut_short_is_refused_and_the_champion_stays(features, store, registry, settings):
    champion = train_autoencoder(settings, store, registry)
    name = publish_features(store, make_rows(40), run_id="20260102T000000Z-later").parts[0]
    store.put_bytes(name, store.get_bytes(name)[:500])

    with pytest.raises(CorruptFileError, match="seen sha256"):
        train_autoencoder(settings, store, registry)
    assert champion["model_version"] == registry.find(CHAMPION).model_version


def test_store_without_features_is_named(store, registry, settings):
    with pytest.raises(NotFoundError, match="run spark_preprocess first"):
        train_autoencoder(settings, store, registry)


def test_failed_run_is_marked_and_registers_nothing(features, store, registry, settings, monkeypatch):
    monkeypatch.setattr(type(store), "put_file", _no_room)

    with pytest.raises(UnavailableError, match="no room"):
        train_autoencoder(settings, store, registry)
    assert registry.find(CHAMPION) is None


def test_full_disk_while_the_run_is_logged_leaves_the_champion(features, store, registry, settings, monkeypatch):
    champion = train_autoencoder(settings, store, registry)
    publish_features(store, make_rows(180), run_id="20260102T000000Z-later")
    monkeypatch.setattr(MlflowClient, "log_artifacts", _full_disk)

    with pytest.raises(UnavailableError, match="could not store the run's files.*No space left.*make room"):
        train_autoencoder(settings, store, registry)
    assert [champion["model_version"]] == [model.model_version for model in registry.versions()]
    assert champion["model_version"] == registry.find(CHAMPION).model_version == champion_version(store)
    assert "FAILED" == registry._client.search_runs([registry._experiment_id], max_results=1)[0].info.status


def _full_disk(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _no_room(store, name, path):
    raise UnavailableError("no room")


def test_unreachable_server_is_told_within_the_budget(free_port):
    with pytest.raises(UnavailableError, match="could not open"):
        Registry(MlflowSettings(mlflow_tracking_uri=f"http://127.0.0.1:{free_port}"))
