"""The way of a champion from a real MLflow to the scorer, by the process that copies it."""

import socket
import warnings
from pathlib import Path

import pytest
from pydantic import SecretStr

from ml_training.registry import CHAMPION, Registry
from model_serving.app import create_app
from model_serving.champion_copy import MODEL, Attempt, ChampionFolder
from model_serving.refresh import refresh
from model_serving.scorer import Scorer
from model_serving.settings import ServingSettings
from tests.model_serving.conftest import TOKEN


def register(settings: ServingSettings, content: bytes) -> None:
    """Make a model file the champion in MLflow, as ml_training does it."""
    with warnings.catch_warnings(action="ignore"):  # MLflow's own, of its database
        registry = Registry(settings)
        with registry.run("test", {}, {}) as run_id:
            folder = Path(settings.champion_folder).parent / "artifacts"
            (folder / "model").mkdir(parents=True)
            (folder / "model" / MODEL).write_bytes(content)
            registry.log_folder(run_id, folder)
            registry.set_alias(CHAMPION, registry.register(run_id, {}).number)


def test_reloading_takes_the_champion_over_and_says_why_where_it_cannot(settings: ServingSettings, scorer: Scorer,
                                                                        tmp_path: Path) -> None:
    content = scorer.folder.read(scorer.champion.facts, MODEL)
    own = settings.model_copy(update={"champion_folder": tmp_path / "champion", "api_token": SecretStr(TOKEN),
                                      "mlflow_tracking_uri": f"sqlite:///{tmp_path / 'mlflow.db'}"})
    client = create_app(Scorer(own.champion_folder), own).test_client()
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    register(own, content)

    first = client.post("/model/reload", headers=bearer)
    missing = create_app(Scorer(tmp_path / "other"), own.model_copy(update={
        "model_name": "another", "champion_folder": tmp_path / "other"})).test_client().post(
            "/model/reload", headers=bearer)

    assert (200, True) == (first.status_code, first.json["took_over"]), first.json
    assert 503 == missing.status_code and "another" in missing.json["detail"]


def test_champion_that_the_watch_loads_first_took_over_as_well(
    settings: ServingSettings, scorer: Scorer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    content = scorer.folder.read(scorer.champion.facts, MODEL)
    own = settings.model_copy(update={"champion_folder": tmp_path / "champion", "api_token": SecretStr(TOKEN),
                                      "mlflow_tracking_uri": f"sqlite:///{tmp_path / 'mlflow.db'}"})
    watched = Scorer(own.champion_folder)
    client = create_app(watched, own).test_client()
    register(own, content)

    def refresh_and_watch(settings: ServingSettings) -> Attempt | None:
        attempt = refresh(settings)
        watched.load_newer()
        return attempt

    monkeypatch.setattr("model_serving.routes.operations.refresh", refresh_and_watch)

    answers = [client.post("/model/reload", headers={"Authorization": f"Bearer {TOKEN}"}).json for _ in range(2)]
    assert [True, False] == [answer["took_over"] for answer in answers], answers


def test_an_mlflow_that_hangs_is_waited_for_until_the_budget_ends(settings: ServingSettings, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        own = settings.model_copy(update={
            "mlflow_tracking_uri": f"http://127.0.0.1:{silent.getsockname()[1]}", "fetch_budget_seconds": 0.5,
            "champion_folder": tmp_path})
        attempt = refresh(own)

    assert attempt is not None and not attempt.is_good
    assert "no answer from MLflow and the object store in 0.5 s" in attempt.text
    assert attempt == ChampionFolder(tmp_path).last_attempt()


def test_the_first_attempt_of_a_new_machine_is_kept_even_when_nothing_was_found(tmp_path: Path) -> None:
    folder = ChampionFolder(tmp_path / "not" / "there")

    folder.save_attempt(Attempt("2026-01-01T00:00:00+00:00", False, "no champion"))

    assert "no champion" == folder.last_attempt().text
