"""The set-up and the reading against a real Vault and a real Kubernetes, where the environment names some.

    SENTINEL_TEST_VAULT_ADDR=http://10.200.0.1:8200 SENTINEL_TEST_VAULT_TOKEN=root KUBECONFIG=... \\
        python -m pytest tests/delivery/test_real_vault.py

Works in a namespace of its own, with roles of an environment of its own, and deletes both.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import hvac
import pytest

from delivery.vault_setup import main, read_accesses
from sentinel.errors import NotFoundError, PermissionDeniedError, SentinelError
from sentinel.vault import read_secrets
from sentinel.vault_settings import VaultSettings

ADDRESS, TOKEN = os.environ.get("SENTINEL_TEST_VAULT_ADDR", ""), os.environ.get("SENTINEL_TEST_VAULT_TOKEN", "")
ENVIRONMENT = NAMESPACE = "sentinel-vault-test"
CANARY = "canary-e5a110"
SET_UP = ["--environment", ENVIRONMENT, "--namespace", NAMESPACE]

pytestmark = pytest.mark.skipif(not ADDRESS or shutil.which("kubectl") is None,
                                reason="needs SENTINEL_TEST_VAULT_ADDR, SENTINEL_TEST_VAULT_TOKEN, kubectl")


def kubectl(*arguments: str) -> str:
    """Return what kubectl prints."""
    return subprocess.run(["kubectl", *arguments], check=True, capture_output=True, text=True, timeout=60).stdout


@pytest.fixture(scope="module")
def operator() -> Iterator[hvac.Client]:
    """Return a client of the real Vault, set up, with one secret for data-fetch."""
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in {"VAULT_ADDR": ADDRESS, "VAULT_TOKEN": TOKEN,
                                "SENTINEL_VAULT_ALLOW_HTTP": "true"}.items():
            patch.setenv(variable, value)
        client = hvac.Client(ADDRESS, TOKEN)
        accesses = read_accesses(ENVIRONMENT, NAMESPACE, "secret")
        kubectl("create", "namespace", NAMESPACE)
        try:
            for account in ("data-fetch", "ml-training"):
                kubectl("create", "serviceaccount", account, "-n", NAMESPACE)
            assert 0 == main(SET_UP)
            client.secrets.kv.v2.create_or_update_secret(accesses[0].secret_path, {"MONGODB_URI": CANARY})
            yield client
        finally:
            kubectl("delete", "namespace", NAMESPACE, "--wait=false")
            for access in accesses:
                client.sys.delete_policy(access.name)
                client.auth.kubernetes.delete_role(access.name)
                client.secrets.kv.v2.delete_metadata_and_all_versions(access.secret_path)


@pytest.fixture
def settings(operator: hvac.Client, tmp_path: Path) -> Callable[..., VaultSettings]:
    """Return a function that makes settings of data-fetch, with a token of a service account and some changes."""
    def make(account: str = "data-fetch", audience: str = "vault", **changes: object) -> VaultSettings:
        file = tmp_path / "token"
        file.write_text(kubectl("create", "token", account, "--audience", audience, "-n", NAMESPACE))
        return VaultSettings(**{
            "vault_addr": ADDRESS, "vault_allow_http": True, "vault_role": f"sentinel-{ENVIRONMENT}-data-fetch",
            "vault_secret_path": f"secret/data/sentinel/{ENVIRONMENT}/data-fetch", "vault_token_path": file} | changes)
    return make


def test_secret_is_read_and_no_login_stays(operator, settings):
    before = set(operator.auth.token.list_accessors()["data"]["keys"])

    found = read_secrets(settings())

    assert {"MONGODB_URI": CANARY} == {key: value.get_secret_value() for key, value in found.items()}
    assert set() == set(operator.auth.token.list_accessors()["data"]["keys"]) - before


def test_second_set_up_changes_nothing(operator, capsys):
    assert 0 == main(SET_UP)

    printed = capsys.readouterr().out
    assert {"made", "changed"}.isdisjoint(line.split()[0] for line in printed.splitlines())
    assert not [secret for secret in (CANARY, TOKEN) if f" {secret}" in printed]


@pytest.mark.parametrize("account, audience, changes, kind, words", [
    ("ml-training", "vault", {}, PermissionDeniedError, "refused role .*:ml-training"),
    ("data-fetch", "elsewhere", {}, PermissionDeniedError, "audience"),
    ("data-fetch", "vault", {"vault_role": "nobody"}, NotFoundError, "knows no role nobody"),
    ("data-fetch", "vault", {"vault_path_auth": "auth/elsewhere"}, SentinelError, "auth/elsewhere"),
    ("data-fetch", "vault", {"vault_secret_path": f"secret/data/sentinel/{ENVIRONMENT}/ml-training"},
     PermissionDeniedError, "policy with read on"),
    ("data-fetch", "vault", {"vault_secret_path": "secret/data/sentinel/production/data-fetch"},
     PermissionDeniedError, "policy with read on"),
])
def test_what_is_not_allowed_is_refused_for_good(settings, account, audience, changes, kind, words):
    with pytest.raises(kind, match=words) as caught:
        read_secrets(settings(account, audience, **changes))

    assert 2 == caught.value.exit_code


def test_deleted_secret_is_told(operator, settings):
    path = f"sentinel/{ENVIRONMENT}/data-fetch"
    operator.secrets.kv.v2.delete_latest_version_of_secret(path)
    try:
        with pytest.raises(NotFoundError, match="nothing, or its newest version is deleted"):
            read_secrets(settings())
    finally:
        operator.secrets.kv.v2.undelete_secret_versions(path, [1])
