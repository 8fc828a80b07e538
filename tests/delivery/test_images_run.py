"""Each image on real stores, under the restricted profile; `make test-images` builds nothing, it runs what is there.

The four run in a row; a stage whose image is not tried runs as a process of this machine.
"""

import json
import re
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from functools import cache
from typing import Any
from urllib.request import Request, urlopen
from uuid import uuid4

import pytest

from delivery.image_tree import FOLDERS
from tests.cluster import far_ends
from tests.delivery.tried_images import (
    IMAGES, PATIENCE_SECONDS, PYTHON, Ended, Running, docker, inspect, pinned, restricted, run_image, run_stage,
    running_image,
)
from tests.s3_server import BUCKET, s3_server

pytestmark = pytest.mark.skipif(not IMAGES, reason="SENTINEL_IMAGES names none; `make test-images` does")
JOBS = [stage for stage in IMAGES if stage != "model-serving"]
LARGEST_BYTES = {"model-serving": 600_000_000}
CANARY = "canary-f3a1b09c"
START_SECONDS = 300.0  # of a store, on a machine that does other things too
LOOK = """
import importlib.metadata, importlib.util, json, os, pathlib
def may_write(folder):
    try:
        pathlib.Path(folder, "written").write_text("")
    except OSError:
        return False
    return True
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
files = [str(one) for top in ("/app", "/root", "/tmp", "/home") for one in pathlib.Path(top).rglob("*")]
installed = {one.name.lower().replace("_", "-").replace(".", "-"): one.version
             for one in importlib.metadata.distributions() if "/opt/venv" in str(one.locate_file(""))}
print(json.dumps({
    "files": [one for one in files if "__pycache__" not in one], "installed": installed,
    "ids": [os.getuid(), os.getgid()], "capabilities": status["CapEff"], "system_calls_filtered": status["Seccomp"],
    "may_write": [one for one in ("/", "/app", "/opt/venv", "/etc", "/tmp") if may_write(one)],
    "libraries": [one for one in ("torch", "pyspark", "gevent") if importlib.util.find_spec(one)],
}))
"""
LIBRARIES = {"torch": "ml-training", "pyspark": "spark-preprocess", "gevent": "model-serving"}


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """Run the stores; return the settings of all stages."""
    folder = tmp_path_factory.mktemp("stores")
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        patch.setattr(far_ends, "START_SECONDS", START_SECONDS)
        yield {
            "MONGODB_URI": stack.enter_context(far_ends.mongodb_at("127.0.0.1", folder / "mongodb")),
            "MLFLOW_TRACKING_URI": stack.enter_context(far_ends.mlflow_at("127.0.0.1", folder / "mlflow")),
            "SENTINEL_S3_ENDPOINT": stack.enter_context(s3_server()),
            "SENTINEL_OBJECT_STORE_URI": f"s3://{BUCKET}/tried",
            "SENTINEL_S3_ACCESS_KEY": "key", "SENTINEL_S3_SECRET_KEY": CANARY, "SPARK_MASTER": "local[2]",
        }


@pytest.fixture(scope="module")
def fetched(stores) -> Ended:
    """Fetch the simulated history."""
    return run_stage("data-fetch", of("data-fetch", stores), "--source", "simulated:")


@pytest.fixture(scope="module")
def preprocessed(fetched, stores) -> Ended:
    """Make features of what was fetched."""
    assert 0 == fetched.code, fetched.output[-3000:]
    return run_stage("spark-preprocess", of("spark-preprocess", stores))


@pytest.fixture(scope="module")
def trained(preprocessed, stores) -> Ended:
    """Train on the features, and register the model."""
    assert 0 == preprocessed.code, preprocessed.output[-3000:]
    return run_stage("ml-training", of("ml-training", stores))


@pytest.fixture(scope="module")
def scorer(trained, stores) -> Iterator[Running]:
    """Serve the model that was trained."""
    if "model-serving" not in IMAGES:
        pytest.skip("the scorer's image is not tried")
    assert 0 == trained.code, trained.output[-3000:]
    settings = {"SENTINEL_PORT": str(free_port()), "SENTINEL_FETCH_BUDGET_SECONDS": str(PATIENCE_SECONDS)}
    with running_image("model-serving", {**of("model-serving", stores), **settings}) as running:
        yield running


def test_fetching_stores_all_that_the_source_has(fetched):
    assert (0, 2_200) == (fetched.code, fetched.last["new"]), fetched.output[-3000:]


def test_preprocessing_makes_features_of_all_that_was_fetched(preprocessed, fetched):
    assert (0, "spark_preprocess.finished") == (preprocessed.code, preprocessed.last["event"])
    assert 2_200 == preprocessed.last["n_pull_requests"]


def test_training_registers_a_model(trained):
    assert (0, "ml_training.finished") == (trained.code, trained.last["event"])


def test_scorer_answers_with_a_score_and_reasons(scorer):
    address = scorer.wait_for("model_serving.ready")["address"].replace("0.0.0.0", "127.0.0.1")
    body = {"number": 9001, "title": "Fix typo", "user": {"login": "newcomer"}, "created_at": "2027-01-01T00:00:00Z",
            "base": {"ref": "main", "repo": {"full_name": "saltmarsh/harbour"}}, "additions": 9000, "deletions": 0,
            "changed_files": 1, "files": [{"filename": ".github/workflows/release.yml", "status": "modified",
                                           "additions": 9000, "deletions": 0}]}
    request = Request(f"{address}/score", json.dumps(body).encode(), {"Content-Type": "application/json"})

    with urlopen(request, timeout=30) as answer:
        verdict = json.loads(answer.read())

    assert {"repository": "saltmarsh/harbour", "number": 9001}.items() <= verdict.items()
    assert verdict["score"] > 0 and verdict["reasons"]


def test_load_test_of_the_same_image_passes(scorer):
    address = scorer.wait_for("model_serving.ready")["address"].replace("0.0.0.0", "127.0.0.1")
    gate = {"SENTINEL_LOAD_REQUESTS_PER_SECOND": "5", "SENTINEL_LOAD_P99_MILLISECONDS": "5000"}
    options = restricted("model-serving", f"sentinel-{uuid4().hex[:12]}", gate)
    done = subprocess.run(
        ["docker", "run", "--rm", *options, "--entrypoint", PYTHON, IMAGES["model-serving"], "-m", "locust",
         "--headless", "--locustfile=model_serving/locustfile.py", "--only-summary", f"--host={address}",
         "--users=5", "--spawn-rate=5", "--run-time=15s"], capture_output=True, text=True, timeout=120)

    assert 0 == done.returncode, done.stderr[-3000:]


def test_scorer_ends_by_itself_after_sigterm(scorer):
    """The last test of the scorer: it is gone then."""
    scorer.wait_for("model_serving.ready")

    ended = scorer.stop()

    assert (0, "model_serving.finished") == (ended.code, ended.last["event"])


@pytest.mark.parametrize("stage", JOBS)
def test_job_ends_by_itself_after_sigterm(stage):
    """A store that takes the connection and says nothing holds the job."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = "127.0.0.1:%d" % silent.getsockname()[1]
        with running_image(stage, of(stage, {
            "MONGODB_URI": f"mongodb://{address}", "MLFLOW_TRACKING_URI": f"http://{address}",
            "SENTINEL_S3_ENDPOINT": f"http://{address}", "SENTINEL_OBJECT_STORE_URI": f"s3://{BUCKET}/silent",
            "SENTINEL_S3_ACCESS_KEY": "key", "SENTINEL_S3_SECRET_KEY": CANARY, "SENTINEL_SOURCES": "simulated:",
        })) as running:
            silent.settimeout(PATIENCE_SECONDS)
            with silent.accept()[0]:
                ended = running.stop()

    assert (75, f"{FOLDERS[stage]}.failed") == (ended.code, ended.last["event"]), ended.output[-3000:]
    assert re.search("SIGTERM|run this again", ended.last["text"])


@pytest.mark.parametrize("stage", IMAGES)
def test_container_may_write_to_its_tmp_only(stage):
    expected = {"ids": [10001, 10001], "capabilities": "0000000000000000", "system_calls_filtered": "2",
                "may_write": ["/tmp"]}

    assert expected.items() <= look_into(stage).items()


@pytest.mark.parametrize("stage", IMAGES)
def test_image_names_its_user_by_number(stage):
    assert "10001:10001" == inspect(stage)["Config"]["User"]


@pytest.mark.parametrize("stage", IMAGES)
def test_image_holds_its_stage_and_no_other(stage):
    files = look_into(stage)["files"]
    others = set(FOLDERS.values()) - {FOLDERS[stage]}

    assert {"/app/sentinel", f"/app/{FOLDERS[stage]}"} == {one for one in files if one.count("/") == 2}
    assert not [one for one in files if "/app/sentinel/command" in one or others & set(one.split("/"))]
    assert not [one for one in files if one.endswith((".env", ".pem", ".key")) or ".cache" in one or ".git/" in one]


@pytest.mark.parametrize("stage", IMAGES)
def test_image_installs_its_lock_and_nothing_else(stage):
    installed = look_into(stage)["installed"]

    assert pinned(stage) == {name: version.partition("+")[0] for name, version in installed.items()}


@pytest.mark.parametrize("stage", IMAGES)
def test_image_brings_the_heavy_library_of_its_own_stage_only(stage):
    assert [library for library, home in LIBRARIES.items() if home == stage] == look_into(stage)["libraries"]


@pytest.mark.parametrize("stage", IMAGES)
def test_history_and_settings_hold_no_secret_and_no_index(stage):
    history = docker("history", "--no-trunc", "--format", "{{.CreatedBy}}", IMAGES[stage])
    text = f"{history}\n{json.dumps(inspect(stage)['Config'])}"

    assert "" == "\n".join(re.findall(r"(?i)\w*(?:token|secret|password|access_key)\w*=[^\s\"]+", text))
    assert [] == re.findall(r"(?i)index.url\S*|://[^/\s\"]+@", text)


@pytest.mark.parametrize("stage", IMAGES)
def test_labels_name_what_the_image_was_made_of(stage):
    labels = inspect(stage)["Config"]["Labels"]
    tag = IMAGES[stage].rpartition(":")[2]

    assert (tag, f"sentinel {stage}") == (labels["sentinel.tree"], labels["org.opencontainers.image.title"])
    assert re.fullmatch("[0-9a-f]{40}", labels["org.opencontainers.image.revision"])


@pytest.mark.parametrize("stage", [stage for stage in IMAGES if stage in LARGEST_BYTES])
def test_image_stays_below_its_limit(stage):
    assert inspect(stage)["Size"] < LARGEST_BYTES[stage]


@pytest.mark.parametrize("stage", IMAGES)
def test_wrong_settings_are_all_named_with_exit_code_2(stage):
    ended = run_image(stage, {"SENTINEL_MONGODB_BUDGET_SECONDS": "-1", "SENTINEL_S3_REGION": ""})

    assert (2, "SettingsError") == (ended.code, ended.last["error"]), ended.output[-3000:]


@pytest.mark.parametrize("stage", IMAGES)
def test_vault_that_is_away_is_waited_for_within_the_budget(stage):
    away = f"http://127.0.0.1:{free_port()}"
    ended = run_image(stage, vault(away, "/etc/hostname", SENTINEL_VAULT_ALLOW_HTTP="true"))

    assert 75 == ended.code, ended.output[-3000:]
    assert "Vault" in ended.last["text"]


@pytest.mark.parametrize("stage", IMAGES)
@pytest.mark.parametrize("address, token_path, words", [
    ("http://vault.example.com:8200", "/etc/hostname", "https://"), ("https://127.0.0.1:1", "/nowhere", "/nowhere"),
])
def test_vault_that_cannot_be_asked_is_exit_code_2(stage, address, token_path, words):
    ended = run_image(stage, vault(address, token_path))

    assert 2 == ended.code, ended.output[-3000:]
    assert words in ended.last["text"]


@pytest.mark.parametrize("stage", IMAGES)
def test_secret_in_the_environment_beside_vault_is_refused(stage):
    secret = "MONGODB_URI" if stage in ("data-fetch", "spark-preprocess") else "SENTINEL_S3_SECRET_KEY"
    ended = run_image(stage, {**vault("https://127.0.0.1:1", "/etc/hostname"), secret: f"mongodb://user:{CANARY}@host"})

    assert 2 == ended.code, ended.output[-3000:]
    assert secret in ended.last["text"] and CANARY not in ended.output


def test_no_secret_is_written_to_a_log(fetched, preprocessed, trained):
    assert CANARY not in fetched.output + preprocessed.output + trained.output


@cache
def look_into(stage: str) -> Mapping[str, Any]:
    """Return what a process inside of a container sees."""
    seen: Mapping[str, Any] = json.loads(run_image(stage, {}, python=LOOK).output)
    return seen


def of(stage: str, settings: Mapping[str, str]) -> dict[str, str]:
    """Return the settings that a stage knows."""
    bucket = ("SENTINEL_S3", "SENTINEL_OBJECT_STORE")
    kept = {
        "data-fetch": ("MONGODB", "SENTINEL_SOURCES"), "spark-preprocess": ("MONGODB", "SPARK", *bucket),
        "ml-training": ("MLFLOW", *bucket), "model-serving": ("MLFLOW", *bucket),
    }[stage]
    return {name: value for name, value in settings.items() if name.startswith(kept)}


def vault(address: str, token_path: str, **more: str) -> dict[str, str]:
    """Return the settings of a Vault."""
    return {"VAULT_ADDR": address, "VAULT_ROLE": "tried", "VAULT_SECRET_PATH": "secret/data/sentinel/tried/stage",
            "VAULT_TOKEN_PATH": token_path, "SENTINEL_VAULT_BUDGET_SECONDS": "3", **more}


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
