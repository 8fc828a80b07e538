"""Health, model, metrics, token, and what happens when a champion cannot be used."""

import shutil
from pathlib import Path

import gevent
import pytest
from flask.testing import FlaskClient

from model_serving.app import create_app
from model_serving.champion_copy import CURRENT, MODEL, Attempt, ChampionFolder
from model_serving.refresh import must_look_first
from model_serving.scorer import Scorer, load_champion
from model_serving.settings import ServingSettings
from model_serving.turns import Turns
from sentinel.object_store import open_object_store
from tests.model_serving.conftest import TOKEN
from tests.model_serving.made_up_harbour import publish_harbour, pull_request_json
from tests.model_serving.made_up_model import copy_model, train_on


@pytest.fixture
def own_copy(settings: ServingSettings, tmp_path: Path) -> ServingSettings:
    """Return settings with a copy of the champion that a test may harm."""
    shutil.copytree(settings.champion_folder, tmp_path / "champion")
    return settings.model_copy(update={"champion_folder": tmp_path / "champion"})


def test_without_a_model_only_the_process_is_healthy(settings: ServingSettings, tmp_path: Path) -> None:
    scorer = Scorer(tmp_path)
    client = create_app(scorer, settings).test_client()
    assert not scorer.load()

    answers = {path: client.get(path) for path in ("/healthz", "/readyz", "/model", "/ranking", "/")}

    assert {"/healthz": 200, "/readyz": 503, "/model": 503, "/ranking": 503, "/": 503} == {
        path: answer.status_code for path, answer in answers.items()}
    assert "ml_training" in answers["/readyz"].json["detail"]
    assert "No model yet" in answers["/"].text
    assert all(answer.headers["Retry-After"] for answer in answers.values() if answer.status_code == 503)


def test_a_loaded_model_is_ready(client: FlaskClient, scorer: Scorer) -> None:
    answer = client.get("/readyz")

    assert 200 == answer.status_code
    assert scorer.champion.model.version == answer.json["model_version"]


@pytest.mark.parametrize("harm", [
    lambda content: content[:-100], lambda content: b"", lambda content: content[:200] + b"\0" + content[201:],
], ids=["cut", "emptied", "altered"])
def test_a_harmed_model_is_refused_and_the_old_one_stays(own_copy: ServingSettings, harm: object) -> None:
    scorer = Scorer(own_copy.champion_folder)
    assert scorer.load()
    before = scorer.champion
    model = own_copy.champion_folder / before.facts.name / MODEL
    model.write_bytes(harm(model.read_bytes()))

    assert not scorer.load()
    assert before is scorer.champion
    assert "altered" in scorer.reason


def test_a_newer_copy_takes_over_once(own_copy: ServingSettings) -> None:
    scorer = Scorer(own_copy.champion_folder)
    scorer.load()
    content = (own_copy.champion_folder / scorer.champion.facts.name / MODEL).read_bytes()
    copy_model(own_copy, content, registry_version="2")

    assert scorer.load_newer()
    assert "2" == scorer.champion.facts.registry_version
    assert not scorer.load_newer()


@pytest.mark.parametrize("path", ["/readyz", "/model", "/ranking", "/"])
def test_a_worker_without_a_champion_looks_for_a_copy_when_it_is_asked(
        settings: ServingSettings, own_copy: ServingSettings, tmp_path: Path, path: str) -> None:
    client = create_app(Scorer(tmp_path / "new"), settings).test_client()
    assert 503 == client.get(path).status_code
    shutil.copytree(own_copy.champion_folder, tmp_path / "new")

    assert 200 == client.get(path).status_code


def test_requests_that_come_at_once_load_a_copy_once(own_copy: ServingSettings,
                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []
    monkeypatch.setattr("model_serving.scorer.load_champion",
                        lambda folder: loaded.append("once") or load_champion(folder))
    scorer = Scorer(own_copy.champion_folder)

    found = [one.get() for one in [gevent.spawn(scorer.find_champion) for _ in range(8)]]

    assert ["once"] == loaded
    assert 1 == len(set(map(id, found))) and found[0] is not None


def test_the_same_champion_is_not_copied_again_unless_it_is_harmed(own_copy: ServingSettings) -> None:
    folder = ChampionFolder(own_copy.champion_folder)
    name = folder.current_name()
    content = (folder.folder / name / MODEL).read_bytes()

    assert name == copy_model(own_copy, content)
    (folder.folder / name / MODEL).write_bytes(b"harmed")
    assert name != copy_model(own_copy, content)
    assert Scorer(folder.folder).load()


def test_a_model_of_other_code_is_refused_with_both_fingerprints(own_copy: ServingSettings) -> None:
    folder = ChampionFolder(own_copy.champion_folder)
    facts = folder.folder / folder.current_name() / "champion.json"
    fingerprint = folder.facts().feature_fingerprint
    facts.write_text(facts.read_text().replace(fingerprint, "0123456789abcdef"))
    scorer = Scorer(folder.folder)

    assert not scorer.load()
    assert "0123456789abcdef" in scorer.reason and fingerprint in scorer.reason


def test_histories_of_a_newer_run_are_taken_when_they_mean_the_same(settings: ServingSettings, tmp_path: Path) -> None:
    own = settings.model_copy(update={"object_store_uri": (tmp_path / "objects").as_uri(),
                                      "champion_folder": tmp_path / "champion"})
    store = open_object_store(own)
    content = train_on(store, publish_harbour(store))
    newer = publish_harbour(store, run_id="20260702T000000Z-00000002")
    copy_model(own, content)

    assert newer.run_id == ChampionFolder(own.champion_folder).facts().features_run_id


def test_the_model_says_when_it_is_the_last_good_copy(own_copy: ServingSettings) -> None:
    scorer = Scorer(own_copy.champion_folder)
    scorer.load()
    ChampionFolder(own_copy.champion_folder).save_attempt(Attempt("2026-07-01T00:00:00+00:00", False, "MLflow is down"))

    answer = create_app(scorer, own_copy).test_client().get("/model").json

    assert answer["is_last_good_copy"]
    assert "MLflow is down" == answer["last_look_failed"]


@pytest.mark.parametrize(("uri", "looked_at", "expected"), [
    ("http://mlflow:5000", "2026-07-01T00:00:00+00:00", False),
    ("sqlite:///{file}", "2026-07-01T00:00:00+00:00", True),
    ("sqlite:///{file}", "2099-01-01T00:00:00+00:00", False),
], ids=["a server", "a file changed since", "a file unchanged since"])
def test_a_copy_serves_at_once_unless_a_newer_model_may_be_in_a_file_here(
        own_copy: ServingSettings, tmp_path: Path, uri: str, looked_at: str, expected: bool) -> None:
    (tmp_path / "mlflow.db").touch()
    ChampionFolder(own_copy.champion_folder).save_attempt(Attempt(looked_at, True, "copied"))
    asked = own_copy.model_copy(update={"mlflow_tracking_uri": uri.format(file=tmp_path / "mlflow.db")})

    assert expected == must_look_first(asked)
    assert must_look_first(asked.model_copy(update={"champion_folder": tmp_path / "empty"}))


def test_reloading_is_off_without_a_token(client: FlaskClient) -> None:
    assert 403 == client.post("/model/reload").status_code


def test_a_post_must_carry_the_token_where_there_is_one(guarded_client: FlaskClient) -> None:
    right = {"Authorization": f"Bearer {TOKEN}"}

    assert 401 == guarded_client.post("/score", json=pull_request_json()).status_code
    assert 401 == guarded_client.post("/model/reload", headers={"Authorization": "Bearer other"}).status_code
    assert 200 == guarded_client.post("/score", json=pull_request_json(), headers=right).status_code
    assert 200 == guarded_client.get("/ranking").status_code


def test_a_request_id_comes_back_or_is_made_up(client: FlaskClient) -> None:
    given = client.get("/readyz", headers={"X-Request-Id": "abc-1"}).headers["X-Request-Id"]
    unusable = client.get("/readyz", headers={"X-Request-Id": "a b"}).headers["X-Request-Id"]

    assert "abc-1" == given
    assert 32 == len(unusable)


def test_metrics_count_requests_by_route(client: FlaskClient) -> None:
    client.post("/score", json=pull_request_json())
    client.get("/nowhere/at/all")

    text = client.get("/metrics").text

    assert 'sentinel_serving_requests_total{method="POST",route="/score",status="200"}' in text
    assert 'route="unknown",status="404"' in text
    assert "/nowhere" not in text


def test_the_document_describes_every_path(client: FlaskClient) -> None:
    described = set(client.get("/openapi.json").json["paths"])
    served = {rule.rule.replace("<int:number>", "{number}").replace("<", "{").replace(">", "}")
              for rule in client.application.url_map.iter_rules()}

    assert served - {"/", "/api", "/static/{path:filename}", "/pull-request/{owner}/{name}/{number}"} == described


def test_an_unfinished_copy_is_never_the_one_in_use(own_copy: ServingSettings) -> None:
    folder = ChampionFolder(own_copy.champion_folder)
    before = folder.current_name()

    with folder.unfinished() as unfinished:
        (unfinished / MODEL).write_bytes(b"half")

    assert before == (folder.folder / CURRENT).read_text()
    assert not list(folder.folder.glob(".unfinished-*"))


def test_an_overloaded_worker_turns_posts_away_early(scorer: Scorer, settings: ServingSettings) -> None:
    turns = Turns()
    client = create_app(scorer, settings, turns=turns).test_client()
    turns.wait_seconds = settings.max_wait_seconds + 1

    answer = client.post("/score", json=pull_request_json())

    assert (503, True) == (answer.status_code, int(answer.headers["Retry-After"]) > 0)
    assert 200 == client.get("/healthz").status_code
