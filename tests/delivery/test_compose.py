"""compose.yaml names only settings, services, files and secrets that are there, and its set-up programs work."""

import json
import os
import re
import runpy
import shutil
import subprocess
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from jsonschema import Draft202012Validator
from pydantic import SecretStr

from data_fetch.settings import DataFetchSettings
from ml_training.settings import MlTrainingSettings
from model_serving.settings import ServingSettings
from sentinel.errors import FixNeededError
from sentinel.settings import Settings, secret_names, variable_of
from sentinel.vault import read_secrets
from sentinel.vault_settings import VaultSettings, secret_place
from spark_preprocess.settings import SparkPreprocessSettings
from tests.patience import PATIENCE_SECONDS
from tests.s3_server import s3_server

ROOT = Path(__file__).parents[2]
SETUP = ROOT / "deploy/compose/vault_setup.sh"
STAGES: Mapping[str, type[Settings]] = {
    "data-fetch": DataFetchSettings, "spark-preprocess": SparkPreprocessSettings,
    "ml-training": MlTrainingSettings, "model-serving": ServingSettings,
}
PORTS = {"mongodb": 27017, "s3": 7070, "vault": 8200, "mlflow": 5000}
VARIABLE = re.compile(r"\$\{(\w+)(:?-)?([^}]*)\}")


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """Return the services, with every ${VARIABLE} at its default."""
    found: dict[str, Any] = _filled_in(yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))["services"])
    return found


def _filled_in(node: Any) -> Any:
    if isinstance(node, dict):
        return {name: _filled_in(value) for name, value in node.items()}
    if isinstance(node, list):
        return [_filled_in(value) for value in node]
    return VARIABLE.sub(lambda found: found[3], node) if isinstance(node, str) else node


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, services: dict[str, Any]) -> Callable[[str], dict[str, str]]:
    """Return a function that sets the variables of a service, and no other of ours."""
    for name in list(os.environ):
        if name.startswith(("SENTINEL_", "MLFLOW_", "VAULT_", "SPARK_")):
            monkeypatch.delenv(name)

    def set_up(service: str) -> dict[str, str]:
        variables: dict[str, str] = services[service]["environment"]
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return variables
    return set_up


def test_compose_yaml_keeps_to_the_schema():
    schema = json.loads(files("check_jsonschema").joinpath("builtin_schemas/vendor/compose-spec.json").read_text())
    document = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
    misspelt = {**document, "services": {**document["services"], "s4": {"imagee": "a:1.0"}}}

    assert [] == list(Draft202012Validator(schema).iter_errors(document))
    assert [] != list(Draft202012Validator(schema).iter_errors(misspelt))


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_gets_only_settings_that_it_reads_and_no_secret(stage, environment):
    variables = environment(stage)
    known = {variable_of(kind, name): name for kind in (STAGES[stage], VaultSettings) for name in kind.model_fields}
    hidden = {variable_of(STAGES[stage], name) for name in secret_names(STAGES[stage])}

    assert set() == set(variables) - set(known)
    assert set() == set(variables) & hidden


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_starts_with_its_settings_once_vault_gave_the_secrets(stage, environment):
    environment(stage)
    kind = STAGES[stage]
    secrets = {name: SecretStr("a") for name in secret_names(kind) if variable_of(kind, name) in given_secrets(stage)}

    settings, vault = kind(**secrets), VaultSettings()

    assert f"sentinel-laptop-{stage}" == vault.vault_role
    assert ("secret", f"sentinel/laptop/{stage}") == secret_place(vault.vault_secret_path)
    assert "s3://sentinel/laptop" == getattr(settings, "object_store_uri", "s3://sentinel/laptop")


@pytest.mark.parametrize("stage", STAGES)
def test_vault_gets_the_secrets_that_a_stage_needs_and_no_other(stage):
    described = tomllib.loads((ROOT / "vault/roles.toml").read_text("utf-8"))["stages"][stage]

    assert set(described["required"]) <= given_secrets(stage)
    assert given_secrets(stage) <= {*described["required"], *described["optional"]}


def test_roles_are_as_strict_as_in_a_cluster():
    wanted = tomllib.loads((ROOT / "vault/roles.toml").read_text("utf-8"))["every_role"]
    script = SETUP.read_text("utf-8")

    for name in ("token_ttl", "token_max_ttl", "token_num_uses"):
        assert f" {name}={wanted[name]} " in script
    assert f"bound_audiences={wanted['audience']} " in script
    assert "token_no_default_policy=true" in script


@pytest.mark.parametrize("stage", STAGES)
def test_addresses_lead_to_services_at_the_ports_where_they_listen(stage, services):
    addresses = [urlsplit(value) for value in services[stage]["environment"].values() if "://" in value]

    for address in addresses:
        if address.scheme != "s3":
            assert PORTS[str(address.hostname)] == address.port
            assert [f"127.0.0.1:{address.port}:{address.port}"] == services[str(address.hostname)]["ports"]


def test_the_scorer_is_published_where_it_listens_on_this_machine_only(services):
    port = services["model-serving"]["environment"]["SENTINEL_PORT"]

    assert [f"127.0.0.1:{port}:{port}"] == services["model-serving"]["ports"]
    assert f"http://127.0.0.1:{port}/readyz" in services["model-serving"]["healthcheck"]["test"][-1]
    assert all(one.startswith("127.0.0.1:") for service in services.values() for one in service.get("ports", ()))


def test_every_stage_is_as_locked_up_as_in_a_cluster(services):
    for stage in STAGES:
        assert services[stage]["read_only"] and ["ALL"] == services[stage]["cap_drop"]
        assert ["no-new-privileges:true"] == services[stage]["security_opt"]
        assert "mem_limit" in services[stage] and "pids_limit" in services[stage]
        [token] = services[stage]["volumes"]
        assert (stage, True) == (token["volume"]["subpath"], token["read_only"])


def test_what_is_waited_for_can_tell(services):
    for service in services.values():
        for name, waits in service.get("depends_on", {}).items():
            assert ("healthcheck" in services[name]) == (waits["condition"] == "service_healthy")


def test_stages_are_built_here_and_no_image_is_left_to_chance(services):
    for name, service in services.items():
        if "build" in service:
            assert f"{service['image'].removeprefix('sentinel/').replace('-', '_')}/Dockerfile" == \
                service["build"]["dockerfile"]
        else:
            assert re.fullmatch(r"[\w/]+:v?\d+\.\d+(\.\d+)?", service["image"]), name


def test_the_bucket_is_made_once(monkeypatch, capsys):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "sentinel")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "laptop-only")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    make_bucket = runpy.run_path(str(ROOT / "deploy/compose/bucket_setup.py"))["main"]
    with s3_server() as endpoint:
        make_bucket(endpoint, "compose-trial")
        make_bucket(endpoint, "compose-trial")

    assert "made bucket compose-trial\nbucket compose-trial is there already\n" == capsys.readouterr().out


@pytest.mark.skipif(shutil.which("vault") is None, reason="needs HashiCorp's vault on the PATH")
def test_stages_log_in_to_a_real_vault_with_the_tokens_that_the_set_up_made(tmp_path, monkeypatch, free_port):
    address = f"http://127.0.0.1:{free_port}"
    variables = {**os.environ, "VAULT_ADDR": address, "VAULT_TOKEN": "root", "MONGODB_URI": "mongodb://mongodb",
                 "S3_ACCESS_KEY": "key", "S3_SECRET_KEY": "secret", "GITHUB_TOKEN": "", "API_TOKEN": "token",
                 "USER_ID": str(os.getuid()), "POLICIES": str(ROOT / "vault"),
                 "TOKENS": str(tmp_path / "tokens"), "MLFLOW": str(tmp_path)}
    with dev_vault(free_port, tmp_path):
        for _ in range(2):
            subprocess.run(["sh", SETUP], env=variables, check=True, stdout=subprocess.DEVNULL)
        found = {stage: read_secrets(login(stage, address, tmp_path / "tokens" / stage)) for stage in STAGES}
        with pytest.raises(FixNeededError, match="subject"):
            read_secrets(login("model-serving", address, tmp_path / "tokens/data-fetch"))

    assert {stage: given_secrets(stage) - {"GITHUB_TOKEN"} for stage in STAGES} == \
        {stage: set(secrets) for stage, secrets in found.items()}


@contextmanager
def dev_vault(port: int, folder: Path) -> Iterator[None]:
    """Run Vault's development server as compose.yaml does."""
    command = ["vault", "server", "-dev", "-dev-root-token-id=root", f"-dev-listen-address=127.0.0.1:{port}"]
    with (folder / "vault.log").open("wb") as log, subprocess.Popen(
            command, env={**os.environ, "HOME": str(folder)}, stdout=log, stderr=log) as process:
        try:
            status = ["vault", "status", f"-address=http://127.0.0.1:{port}"]
            patience = time.monotonic() + PATIENCE_SECONDS
            while subprocess.run(status, capture_output=True).returncode and time.monotonic() < patience:
                time.sleep(0.2)
            yield
        finally:
            process.terminate()


def login(stage: str, address: str, folder: Path) -> VaultSettings:
    return VaultSettings(vault_addr=address, vault_allow_http=True, vault_path_auth="auth/compose/login",
                         vault_role=f"sentinel-laptop-{stage}", vault_token_path=folder / "token",
                         vault_secret_path=f"secret/data/sentinel/laptop/{stage}")


def given_secrets(stage: str) -> set[str]:
    """Return the keys that the set-up writes for a stage."""
    script = SETUP.read_text("utf-8")
    pairs = re.search(r'^s3="(.*)"$', script, re.MULTILINE)[1]
    line = re.search(rf"^ +give_access {stage} (.*)$", script, re.MULTILINE)[1].replace("$s3", pairs)
    return set(re.findall(r"\b([A-Z0-9_]+)=", line))
