"""Settings whose secrets come from Vault, and from nowhere else."""

import subprocess
import sys
from collections.abc import Iterator

import pytest
from pydantic import Field, SecretStr

from sentinel.errors import SettingsError
from sentinel.settings import (
    MlflowSettings, MongoSettings, ObjectStoreSettings, Settings, environment_of, load_settings, secret_names)
from tests.vault_double import DENIED, PLACE, ROLE, VaultDouble, service_account_token, vault_double

CANARY = "canary-77ab02"


@pytest.fixture
def vault(monkeypatch, tmp_path) -> Iterator[VaultDouble]:
    """Return a Vault that the environment names."""
    token_file = tmp_path / "token"
    token_file.write_text(service_account_token())
    with vault_double({"MONGODB_URI": f"mongodb://{CANARY}", "SENTINEL_S3_ACCESS_KEY": CANARY}) as double:
        for variable, value in {"VAULT_ADDR": double.address, "SENTINEL_VAULT_ALLOW_HTTP": "true", "VAULT_ROLE": ROLE,
                                "VAULT_SECRET_PATH": PLACE, "VAULT_TOKEN_PATH": str(token_file)}.items():
            monkeypatch.setenv(variable, value)
        monkeypatch.delenv("MONGODB_URI", raising=False)
        yield double


def test_secrets_come_from_vault_and_the_rest_from_the_environment(vault, monkeypatch):
    monkeypatch.setenv("SENTINEL_MONGODB_DATABASE", "elsewhere")

    settings = load_settings(MongoSettings)

    assert (f"mongodb://{CANARY}", "elsewhere") == (settings.mongodb_uri.get_secret_value(), settings.mongodb_database)


@pytest.mark.parametrize("variable", ["MONGODB_URI", "mongodb_uri", "SENTINEL_MONGODB_URI"])
def test_secret_in_the_environment_beside_vault_is_refused(vault, monkeypatch, variable):
    monkeypatch.setenv(variable, f"mongodb://{CANARY}")

    with pytest.raises(SettingsError, match="secrets in the environment beside VAULT_ADDR: MONGODB_URI") as caught:
        load_settings(MongoSettings)

    assert CANARY not in str(caught.value)
    assert [] == vault.heard


def test_missing_key_is_named_with_its_place(vault):
    vault.kept[PLACE] = {"MONGODB_URL": CANARY}

    with pytest.raises(SettingsError, match=f"MONGODB_URI \\(no such key in Vault at {PLACE}\\)") as caught:
        load_settings(MongoSettings)

    assert (2, False) == (caught.value.exit_code, CANARY in str(caught.value))


def test_wrong_value_from_vault_is_named_and_not_shown(vault):
    class Longer(Settings):
        api_token: SecretStr = Field(min_length=90, description="token")

    vault.kept[PLACE] = {"SENTINEL_API_TOKEN": CANARY}

    with pytest.raises(SettingsError, match=f"SENTINEL_API_TOKEN \\(set in Vault at {PLACE}\\): token") as caught:
        load_settings(Longer)

    assert CANARY not in str(caught.value)


def test_settings_of_vault_are_checked_all_at_once(vault, monkeypatch):
    monkeypatch.delenv("VAULT_ROLE")
    monkeypatch.setenv("VAULT_SECRET_PATH", "secret")

    with pytest.raises(SettingsError, match="(?s)VAULT_ROLE.*VAULT_SECRET_PATH"):
        load_settings(MongoSettings)


def test_settings_without_secrets_ask_no_vault(vault):
    class Plain(Settings):
        size: int = Field(default=3, description="size")

    load_settings(Plain)
    load_settings(MongoSettings, mongodb_uri="mongodb://given")

    assert [] == vault.heard


def test_another_process_gets_no_secrets_where_vault_gives_them(vault, tmp_path):
    class StageSettings(MongoSettings, ObjectStoreSettings):
        """Two parts with secrets."""

    settings = load_settings(StageSettings, object_store_uri=tmp_path.as_uri())

    handed_on = environment_of(settings)

    assert tmp_path.as_uri() == handed_on["SENTINEL_OBJECT_STORE_URI"]
    assert CANARY not in repr(handed_on)
    assert {"MONGODB_URI", "SENTINEL_S3_ACCESS_KEY"}.isdisjoint(handed_on)


def test_each_loading_sees_what_was_rotated(vault):
    load_settings(MongoSettings)
    vault.kept[PLACE] = {"MONGODB_URI": "mongodb://rotated"}

    assert "mongodb://rotated" == load_settings(MongoSettings).mongodb_uri.get_secret_value()


def test_credentials_of_mlflow_come_from_vault(vault, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow")
    credentials = {"MLFLOW_TRACKING_USERNAME": "trainer", "MLFLOW_TRACKING_PASSWORD": CANARY}
    vault.kept[PLACE] = credentials

    assert credentials == load_settings(MlflowSettings).mlflow_credentials


def test_secret_settings_are_known_by_their_type():
    assert ["mongodb_uri"] == secret_names(MongoSettings)
    assert ["s3_access_key", "s3_secret_key"] == secret_names(ObjectStoreSettings)


def test_without_vault_its_client_is_not_imported():
    code = ("import sys, sentinel.settings as s; s.load_settings(s.MongoSettings);"
            "sys.exit('hvac' in sys.modules or 'sentinel.vault' in sys.modules)")

    assert 0 == subprocess.run([sys.executable, "-c", code], env={"MONGODB_URI": "mongodb://host"}).returncode


def test_refused_login_is_an_error_of_the_settings_step(vault):
    vault.trouble = lambda n_heard: DENIED

    with pytest.raises(Exception, match="cannot log in to Vault") as caught:
        load_settings(MongoSettings)

    assert 2 == caught.value.exit_code
