"""The scorer with its secrets in Vault: what happens there after the start fails no request."""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import orjson
import pytest

from model_serving.champion_copy import LAST_ATTEMPT
from model_serving.settings import ServingSettings
from tests.model_serving.made_up_harbour import pull_request_json
from tests.model_serving.running_scorer import RunningScorer
from tests.patience import PATIENCE_SECONDS
from tests.vault_double import DENIED, Role, VaultDouble, service_account_token, vault_double

CANARY, ROTATED = "canary-5c0ffee", "canary-0f2bad"
ACCOUNT, PLACE = "system:serviceaccount:sentinel:model-serving", "secret/data/sentinel/staging/model-serving"


@pytest.fixture
def vault(monkeypatch, tmp_path) -> Iterator[VaultDouble]:
    """Return a Vault with the scorer's secrets, which the environment names."""
    token_file = tmp_path / "token"
    token_file.write_text(service_account_token(ACCOUNT))
    with vault_double({"SENTINEL_API_TOKEN": CANARY, "SENTINEL_S3_SECRET_KEY": CANARY}, PLACE) as double:
        double.roles = {"scorer": Role(PLACE, ACCOUNT)}
        for variable, value in {"VAULT_ADDR": double.address, "SENTINEL_VAULT_ALLOW_HTTP": "true",
                                "VAULT_ROLE": "scorer", "VAULT_SECRET_PATH": PLACE,
                                "VAULT_TOKEN_PATH": str(token_file)}.items():
            monkeypatch.setenv(variable, value)
        yield double


@pytest.fixture
def running(settings: ServingSettings, tmp_path: Path, vault: VaultDouble) -> Iterator[RunningScorer]:
    """Return a scorer that looks for a newer champion again and again; no MLflow answers it."""
    own = shutil.copytree(settings.champion_folder, tmp_path / "champion",
                          ignore=shutil.ignore_patterns(LAST_ATTEMPT))
    scorer = RunningScorer(settings.model_copy(update={
        "mlflow_tracking_uri": "http://127.0.0.1:9", "champion_folder": own, "refresh_seconds": 0.5}), tmp_path)
    yield scorer
    scorer.kill()


def test_refused_logins_and_rotated_secrets_fail_no_request(vault: VaultDouble, running: RunningScorer) -> None:
    statuses = [score(running, "")]
    wait_until(lambda: "MLflow" in last_failure(running), running)
    vault.trouble = lambda n_heard: DENIED
    wait_until(lambda: "cannot log in to Vault" in last_failure(running), running)
    statuses += [score(running, CANARY) for _ in range(5)]
    vault.kept[PLACE], vault.trouble = {"SENTINEL_API_TOKEN": ROTATED}, lambda n_heard: None
    wait_until(lambda: "MLflow" in last_failure(running), running)
    statuses.append(score(running, CANARY))

    assert [401, *[200] * 6] == statuses
    assert {} == vault.tokens
    of_processes = "".join(processes(running.process.pid))
    shown = running.log.read_text() + of_processes
    assert "VAULT_ADDR" in of_processes  # else there was nothing to look through
    assert not [secret for secret in (CANARY, ROTATED, *vault.logins, *vault.revoked) if secret in shown]


def score(running: RunningScorer, token: str) -> int:
    """Return the status of an answer to a request with a token."""
    request = Request(f"{running.address}/score", orjson.dumps(pull_request_json()),
                      {"Content-Type": "application/json", "Authorization": f"Bearer {token}"})
    try:
        with urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except HTTPError as error:
        return error.code


def last_failure(running: RunningScorer) -> str:
    """Return why the last look for a newer champion failed."""
    events = [orjson.loads(line) for line in running.log.read_bytes().splitlines(keepends=True) if line[-1:] == b"\n"]
    return str(["", *(event["text"] for event in events if event["event"] == "model_serving.refresh_failed")][-1])


def wait_until(is_so: Callable[[], bool], running: RunningScorer) -> None:
    """Wait until `is_so`, and fail with the log where it never is."""
    patience = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < patience, running.log.read_text()[-2000:]
        time.sleep(0.05)


def processes(group: int) -> Iterator[str]:
    """Yield the command line and the environment of every process of a group."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if int((folder / "stat").read_text().rpartition(")")[2].split()[2]) == group:
                yield from ((folder / name).read_bytes().decode("utf-8", "replace") for name in ("cmdline", "environ"))
        except OSError:
            pass  # it has ended
