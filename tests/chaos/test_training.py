"""ml_training is killed, doubled, and cut off from MLflow: there is always one champion that can be loaded."""

import random
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from ml_training.registry import CHAMPION, RegisteredModel, Registry
from ml_training.train_autoencoder import load_registered
from ml_training.verdict_table import judged_features_run
from sentinel.object_store import FolderStore
from sentinel.settings import MlflowSettings
from tests.chaos.conftest import SEED
from tests.chaos.fault_proxy import FaultProxy
from tests.chaos.memory import memory_group
from tests.chaos.processes import Ended, MlflowServer, Stage, kill_after
from tests.ml_training.small_features import make_rows, publish_features

pytestmark = pytest.mark.chaos
SMALL = {"SENTINEL_MAX_STEPS": "20", "SENTINEL_MIN_STEPS": "20", "SENTINEL_N_NETWORKS": "2",
         "SENTINEL_TRIMMED_NETWORKS": "1", "SENTINEL_HIDDEN_WIDTH": "8"}
SHARES_OF_MEMORY = (0.3, 0.6, 0.8)  # of what a clean run needs
OLD, NEW, N_KILLS = "20260101T000000Z-0000aaaa", "20260102T000000Z-0000bbbb", 6


@pytest.fixture
def environment(mlflow, objects) -> dict[str, str]:
    return {"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{mlflow.port}", "SENTINEL_OBJECT_STORE_URI": objects.as_uri(),
            "SENTINEL_MODEL_NAME": f"test-{uuid4().hex[:8]}", **SMALL}


@pytest.fixture
def store(objects) -> FolderStore:
    return FolderStore(objects.as_uri(), objects)


@pytest.fixture
def train(environment, tmp_path) -> Callable[..., Stage]:
    def start(**more: str) -> Stage:
        return Stage("ml_training", environment | more, tmp_path / "runs")

    return start


@contextmanager
def registry_of(environment: dict[str, str]) -> Iterator[Registry]:
    with warnings.catch_warnings(action="ignore"):  # MLflow's own
        yield Registry(MlflowSettings(mlflow_tracking_uri=environment["MLFLOW_TRACKING_URI"],
                                      model_name=environment["SENTINEL_MODEL_NAME"]))


def champions(environment: dict[str, str], store: FolderStore) -> list[RegisteredModel]:
    """Return the champions; each one's model must load, and its verdicts be there, as every reader needs them."""
    with registry_of(environment) as registry:
        found = [model for model in registry.versions() if CHAMPION in model.aliases]
        for model in found:
            assert load_registered(registry, model).version == model.model_version
            assert judged_features_run(store, model.model_version) is not None
        return found


def n_versions(environment: dict[str, str], features_run_id: str) -> int:
    with registry_of(environment) as registry:
        return sum(model.tags["features_run_id"] == features_run_id for model in registry.versions())


def test_training_killed_at_seeded_points_keeps_one_champion_that_loads(train, environment, store, seen):
    publish_features(store, make_rows(160), run_id=OLD)
    clean = train().wait()
    publish_features(store, make_rows(200), run_id=NEW)
    kills, shown = 0, []
    for place in range(N_KILLS):
        stage, moment = train(), random.Random(SEED + place).random()
        if place % 2:  # while it registers
            stage.wait_for("ml_training.model_fitted")
            kills += kill_after(stage, moment)
        else:
            kills += kill_after(stage, (0.1 + 0.5 * moment) * clean.seconds)
        shown.append([model.tags["features_run_id"] for model in champions(environment, store)])

    again, idle = train().wait(), train().wait()

    [champion] = champions(environment, store)
    seen(kills=kills, champions_between=sorted({len(one) for one in shown}), exit=again.exit_code,
         seconds=round(again.seconds, 1), clean_seconds=round(clean.seconds, 1),
         versions_of_the_new_features=n_versions(environment, NEW))
    assert kills and all(one in ([OLD], [NEW]) for one in shown)
    assert (0, NEW) == (again.exit_code, champion.tags["features_run_id"]), again.output[-2000:]
    assert (0, False) == (idle.exit_code, idle.last["trained"])


def test_training_whose_memory_ends_keeps_one_champion_that_loads(environment, store, tmp_path, seen):
    def train(limit_bytes: int | None = None) -> tuple[Ended, int]:
        with memory_group(limit_bytes) as group:
            return Stage("ml_training", environment, tmp_path / "runs", prepare=group.join).wait(), group.peak_bytes

    publish_features(store, make_rows(160), run_id=OLD)
    _, peak_bytes = train()
    publish_features(store, make_rows(200), run_id=NEW)
    ended, shown = [], []
    for share in SHARES_OF_MEMORY:
        ended.append(train(int(share * peak_bytes))[0].exit_code)
        shown.append([model.tags["features_run_id"] for model in champions(environment, store)])

    again, _ = train()

    [champion] = champions(environment, store)
    seen(exit=[*ended, again.exit_code], peak_megabytes=round(peak_bytes / 1e6))
    assert -9 in ended and set(ended) <= {-9, 0}
    assert all(one in ([OLD], [NEW]) for one in shown)
    assert (0, NEW) == (again.exit_code, champion.tags["features_run_id"]), again.output[-2000:]


def test_two_trainings_at_once_end_with_one_champion(train, environment, store, seen):
    publish_features(store, make_rows(160), run_id=OLD)

    ended = [stage.wait() for stage in [train(), train()]]
    third = train().wait()

    [champion] = champions(environment, store)
    seen(champions=1, exit=[one.exit_code for one in ended], versions=n_versions(environment, OLD),
         third="nothing to do" if not third.last.get("trained") else "trained")
    assert {one.exit_code for one in ended} <= {0, 75} and 0 in [one.exit_code for one in ended], ended
    assert (0, False, OLD) == (third.exit_code, third.last["trained"], champion.tags["features_run_id"])


@pytest.mark.parametrize("trouble", ["refuses", "silent", "cut"])
def test_mlflow_gone_while_training_logs_leaves_the_old_champion(trouble, train, environment, store, mlflow, proxy,
                                                                 seen):
    publish_features(store, make_rows(160), run_id=OLD)
    train().wait()
    [old] = champions(environment, store)
    publish_features(store, make_rows(200), run_id=NEW)
    network = proxy(mlflow.port)
    stage = train(MLFLOW_TRACKING_URI=f"http://127.0.0.1:{network.port}")
    stage.wait_for("ml_training.model_fitted")
    {"refuses": network.refuse, "silent": lambda: setattr(network, "is_silent", True),
     "cut": lambda: cut_answers(network)}[trouble]()

    ended = stage.wait()
    [between] = champions(environment, store)
    again = train().wait()

    [champion] = champions(environment, store)
    seen(exit=[ended.exit_code, again.exit_code], seconds=round(ended.seconds, 1))
    assert (75, old) == (ended.exit_code, between), ended.output[-3000:]
    assert (0, NEW) == (again.exit_code, champion.tags["features_run_id"])


def cut_answers(network: FaultProxy) -> None:
    """Break what is open, and every later answer after a few bytes."""
    network.next_cut = lambda: (None, 40)
    network.refuse()
    network.accept()


def test_mlflow_that_is_away_at_the_start_is_told_within_a_minute(train, store, free_port, seen):
    publish_features(store, make_rows(160), run_id=OLD)

    ended = train(MLFLOW_TRACKING_URI=f"http://127.0.0.1:{free_port}").wait()

    seen(exit=ended.exit_code, seconds=round(ended.seconds, 1))
    assert 75 == ended.exit_code and ended.seconds < 60
    assert f"127.0.0.1:{free_port}" in str(ended.last["text"])


def test_mlflow_killed_and_started_again_keeps_its_champion(train, environment, store, mlflow: MlflowServer, seen):
    publish_features(store, make_rows(160), run_id=OLD)
    train().wait()
    mlflow.kill()
    mlflow.start()

    idle = train().wait()

    [champion] = champions(environment, store)
    seen(exit=idle.exit_code, champions=1)
    assert (0, False, OLD) == (idle.exit_code, idle.last["trained"], champion.tags["features_run_id"])


def test_truncated_model_in_mlflow_is_refused_by_the_next_training(train, environment, store, mlflow, seen):
    publish_features(store, make_rows(160), run_id=OLD)
    train().wait()
    [champion] = champions(environment, store)
    [file] = Path(mlflow.folder, "artifacts").rglob(f"{champion.run_id}/artifacts/model/model.onnx")
    whole = file.read_bytes()
    file.write_bytes(whole[:len(whole) // 2])
    publish_features(store, make_rows(200), run_id=NEW)

    ended = train().wait()
    file.write_bytes(whole)
    between = champions(environment, store)
    again = train().wait()

    seen(exit=[ended.exit_code, again.exit_code])
    assert 65 == ended.exit_code and "sha256" in str(ended.last["text"]), ended.output[-2000:]
    assert ([champion], 0) == (between, again.exit_code)
