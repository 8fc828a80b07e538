"""Setting Vault up: what is made, that a second run changes nothing, and that the stages fit to it."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from data_fetch.settings import DataFetchSettings
from delivery.vault_setup import main, read_accesses
from ml_training.settings import MlTrainingSettings
from model_serving.settings import ServingSettings
from sentinel.settings import secret_names, variable_of
from spark_preprocess.settings import SparkPreprocessSettings
from tests.vault_double import SEALED, Reply, serve

SETTINGS = {"data-fetch": DataFetchSettings, "spark-preprocess": SparkPreprocessSettings,
            "ml-training": MlTrainingSettings, "model-serving": ServingSettings}
CANARY = "canary-9d41e0"
OPERATOR = "hvs.operator-8a17"


@dataclass
class OperatorsVault:
    """What an operator writes, kept by its path; mounts and auth methods are listed as Vault lists them."""

    kept: dict[str, Any] = field(default_factory=dict)
    trouble: Reply | None = None
    written: list[str] = field(default_factory=list)

    def reply(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Answer as Vault does to whoever may do all."""
        path = path.removeprefix("/v1/")
        if self.trouble is not None:
            return self.trouble
        if headers.get("X-Vault-Token") != OPERATOR:
            return 403, {"errors": ["permission denied"]}
        if method == "GET":
            found = self.listed(path) if path in ("sys/mounts", "sys/auth") else self.kept.get(path)
            return (404, {"errors": []}) if found is None else (200, {"data": found})
        self.written.append(path)
        given = json.loads(body)
        self.kept[path] = {"rules": given["policy"]} if path.startswith("sys/policy/") else given
        return 204, b""

    def listed(self, path: str) -> dict[str, Any]:
        """Return what is mounted."""
        return {f"{name.removeprefix(path + '/')}/": kept for name, kept in self.kept.items()
                if name.startswith(f"{path}/")}


@pytest.fixture
def vault(monkeypatch) -> Iterator[OperatorsVault]:
    """Return an empty Vault that the environment names, with the token of an operator."""
    double = OperatorsVault()
    with serve(double.reply) as address:
        monkeypatch.setenv("VAULT_ADDR", address)
        monkeypatch.setenv("SENTINEL_VAULT_ALLOW_HTTP", "true")
        monkeypatch.setenv("VAULT_TOKEN", OPERATOR)
        yield double


def set_up(*options: str) -> int:
    """Run the command for staging and return its exit code."""
    return main(["--environment", "staging", *options])


def test_everything_missing_is_made(vault, capsys):
    assert 0 == set_up()

    role = vault.kept["auth/kubernetes/role/sentinel-staging-data-fetch"]
    assert (["data-fetch"], ["sentinel"], "vault", ["sentinel-staging-data-fetch"], True) == (
        role["bound_service_account_names"], role["bound_service_account_namespaces"], role["audience"],
        role["token_policies"], role["token_no_default_policy"])
    assert ("kv", {"version": "2"}) == (vault.kept["sys/mounts/secret"]["type"],
                                        vault.kept["sys/mounts/secret"]["options"])
    assert "https://kubernetes.default.svc" == vault.kept["auth/kubernetes/config"]["kubernetes_host"]
    assert 11 == len(vault.written)
    assert "MISSING secret/sentinel/staging/data-fetch: has no key; needs MONGODB_URI" in capsys.readouterr().out


def test_second_run_changes_nothing(vault, capsys):
    set_up()
    vault.written.clear()
    capsys.readouterr()

    assert 0 == set_up()

    assert [] == vault.written
    assert {"kept", "MISSING", "seen"} == {line.split()[0] for line in capsys.readouterr().out.splitlines()}


def test_changed_role_policy_and_cluster_are_put_right(vault, capsys):
    set_up()
    vault.kept["auth/kubernetes/role/sentinel-staging-data-fetch"]["audience"] = "elsewhere"
    vault.kept["sys/policy/sentinel-staging-ml-training"]["rules"] = 'path "*" { capabilities = ["sudo"] }'
    vault.written.clear()

    assert 0 == set_up("--kubernetes-host", "https://10.0.0.1:6443")

    assert ["auth/kubernetes/config", "auth/kubernetes/role/sentinel-staging-data-fetch",
            "sys/policy/sentinel-staging-ml-training"] == sorted(vault.written)
    assert "changed role sentinel-staging-data-fetch" in capsys.readouterr().out


def test_cluster_that_is_configured_is_left_alone(vault):
    vault.kept |= {"sys/auth/kubernetes": {"type": "kubernetes"},
                   "auth/kubernetes/config": {"kubernetes_host": "https://10.0.0.1:6443"}}

    set_up()

    assert {"kubernetes_host": "https://10.0.0.1:6443"} == vault.kept["auth/kubernetes/config"]


def test_a_policy_reads_one_secret_of_one_environment_only():
    staging, production = (read_accesses(name, "sentinel", "secret") for name in ("staging", "production"))
    paths = [re.findall(r'path "([^"]+)" {\n  capabilities = (.*)\n', one.policy) for one in [*staging, *production]]

    assert 8 == len({path for one in paths for path, _ in one if path.startswith("secret/")})
    assert all([('["read"]', '["update"]')] == [tuple(allowed for _, allowed in one)] for one in paths)
    assert all(path in ("auth/token/revoke-self", f"secret/data/{access.secret_path}")
               for access, one in zip([*staging, *production], paths, strict=True) for path, _ in one)


@pytest.mark.parametrize("stage", SETTINGS)
def test_keys_are_the_secret_settings_of_the_stage(stage):
    [access] = [one for one in read_accesses("staging", "sentinel", "secret") if one.name.endswith(stage)]
    kind = SETTINGS[stage]
    required = {variable_of(kind, name) for name in secret_names(kind) if kind.model_fields[name].is_required()}

    assert required == access.required
    assert {variable_of(kind, name) for name in secret_names(kind)} == access.required | access.optional


def test_names_of_stored_keys_are_told_and_values_are_not_asked_for(vault, capsys):
    vault.kept["secret/subkeys/sentinel/staging/data-fetch"] = {"subkeys": {"MONGODB_URI": None, "MONGO_URL": None}}
    vault.kept["secret/data/sentinel/staging/data-fetch"] = {"data": {"MONGODB_URI": CANARY}}

    set_up()

    printed = capsys.readouterr().out
    assert "seen    secret/sentinel/staging/data-fetch: has MONGODB_URI, MONGO_URL" in printed
    assert "MONGO_URL will not be read" in printed
    assert not [secret for secret in (CANARY, OPERATOR) if secret in printed]


def test_dry_run_prints_and_asks_nothing(vault, capsys):
    vault.trouble = SEALED

    assert 0 == set_up("--dry-run")

    printed = capsys.readouterr().out
    assert 'path "secret/data/sentinel/staging/model-serving"' in printed
    assert "bound_service_account_names = ['spark-preprocess']" in printed


@pytest.mark.parametrize("trouble, code, words", [
    ((403, {"errors": ["permission denied"]}), 2, "log in as such an operator"), (SEALED, 75, "Vault is sealed"),
    ((400, {"errors": ["unknown"]}), 2, "correct the command's options"),
    ((400, {"errors": ["open /var/run/secrets/kubernetes.io/serviceaccount/ca.crt: no such file or directory"]}), 2,
     "it runs outside of the cluster"),
])
def test_refusal_is_told_with_its_exit_code(vault, capsys, trouble, code, words):
    vault.trouble = trouble

    assert code == set_up()

    told = capsys.readouterr().err
    assert words in told
    assert OPERATOR not in told


def test_missing_token_of_an_operator_is_told(vault, monkeypatch, tmp_path, capsys):
    monkeypatch.delenv("VAULT_TOKEN")
    monkeypatch.setenv("HOME", str(tmp_path))

    assert 2 == set_up()
    assert "set VAULT_TOKEN" in capsys.readouterr().err


@pytest.mark.parametrize("mounted, words", [
    ({"sys/mounts/secret": {"type": "kv", "options": {"version": "1"}}}, "kv of version 1, expected kv of version 2"),
    ({"sys/auth/kubernetes": {"type": "jwt"}}, "is jwt, expected kubernetes"),
])
def test_other_engines_in_the_place_are_not_touched(vault, capsys, mounted, words):
    vault.kept |= mounted

    assert 2 == set_up()
    assert words in capsys.readouterr().err


def test_vault_that_is_away_is_told(vault, monkeypatch, free_port, capsys):
    monkeypatch.setenv("VAULT_ADDR", f"http://127.0.0.1:{free_port}")

    assert 75 == set_up()
    assert f"cannot set up Vault at http://127.0.0.1:{free_port}" in capsys.readouterr().err
