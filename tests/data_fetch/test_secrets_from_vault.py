"""data_fetch as a process whose secrets come from Vault: they are nowhere to be seen, and its exit code tells."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from tests.patience import PATIENCE_SECONDS
from tests.vault_double import DENIED, NOTHING, PLACE, ROLE, SEALED, VaultDouble, service_account_token, vault_double

ROOT = Path(__file__).parents[2]
CANARY = "canary-1ce7ea"


@pytest.fixture
def vault(mongodb_uri) -> Iterator[VaultDouble]:
    """Return a Vault that knows the database."""
    with vault_double({"MONGODB_URI": f"{mongodb_uri}/?comment={CANARY}", "GITHUB_TOKEN": CANARY}) as double:
        yield double


def run(vault: VaultDouble, folder: Path, database: str, **more: str) -> tuple[int, dict[str, object], bytes]:
    """Run the stage; return its exit code, its last line and all that it said."""
    (folder / "token").write_text(service_account_token())
    (folder / "none.jsonl").touch()
    environment = {"VAULT_ADDR": vault.address, "SENTINEL_VAULT_ALLOW_HTTP": "true", "VAULT_ROLE": ROLE,
                   "VAULT_SECRET_PATH": PLACE, "VAULT_TOKEN_PATH": str(folder / "token"),
                   "SENTINEL_VAULT_BUDGET_SECONDS": "1", "SENTINEL_MONGODB_DATABASE": database, **more}
    command = [sys.executable, "-m", "data_fetch", "--source", f"jsonl:{folder}/none.jsonl"]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=PATIENCE_SECONDS)
    said = ended.stdout + ended.stderr
    assert not [secret for secret in (CANARY, *vault.logins, *vault.revoked) if secret.encode() in said]
    return ended.returncode, orjson.loads(ended.stdout.splitlines()[-1]), said


def test_stage_runs_with_the_secrets_of_vault_and_shows_none(vault, tmp_path, mongodb_database):
    code, last, _ = run(vault, tmp_path, mongodb_database)

    assert (0, "data_fetch.finished") == (code, last["event"])
    assert {} == vault.tokens


@pytest.mark.parametrize("reply, code, words", [
    (SEALED, 75, "it is sealed"), (DENIED, 2, "cannot log in to Vault"), (NOTHING, 2, "nothing takes logins"),
])
def test_exit_code_tells_whether_to_try_again(vault, tmp_path, mongodb_database, reply, code, words):
    vault.trouble = lambda n_heard: reply

    ended, last, _ = run(vault, tmp_path, mongodb_database)

    assert (code, "data_fetch.failed", code) == (ended, last["event"], last["exit_code"])
    assert words in last["text"]


def test_secret_in_the_environment_stops_the_start(vault, tmp_path, mongodb_database):
    code, last, _ = run(vault, tmp_path, mongodb_database, GITHUB_TOKEN=CANARY)

    assert (2, []) == (code, vault.heard)
    assert "secrets in the environment beside VAULT_ADDR: GITHUB_TOKEN" in last["text"]


def test_address_of_the_database_is_hidden_where_it_cannot_be_reached(vault, tmp_path, mongodb_database, free_port):
    vault.kept[PLACE]["MONGODB_URI"] = f"mongodb://user:{CANARY}@127.0.0.1:{free_port}"

    code, last, _ = run(vault, tmp_path, mongodb_database, SENTINEL_MONGODB_BUDGET_SECONDS="1")

    assert (75, "data_fetch.failed") == (code, last["event"])
