"""Where Vault is, and how its paths may be written."""

from pathlib import Path

import pytest

from sentinel.errors import SettingsError
from sentinel.settings import load_settings
from sentinel.vault_settings import VaultServerSettings, auth_mount, secret_place


@pytest.mark.parametrize("path, mount", [
    ("auth/kubernetes/login", "kubernetes"), ("auth/kubernetes", "kubernetes"), ("kubernetes", "kubernetes"),
    ("/auth/clusters/blue/login/", "clusters/blue"), ("clusters/blue", "clusters/blue"), ("auth/login", "login"),
])
def test_mount_of_logins_is_found_however_it_is_written(path, mount):
    assert mount == auth_mount(path)


@pytest.mark.parametrize("path, place", [
    ("secret/data/sentinel/staging/data-fetch", ("secret", "sentinel/staging/data-fetch")),
    ("secret/sentinel/staging/data-fetch", ("secret", "sentinel/staging/data-fetch")),
    ("team/kv/data/sentinel", ("team/kv", "sentinel")), ("secret/data/data/metadata", ("secret", "data/metadata")),
    ("/kv/x/", ("kv", "x")),
])
def test_secret_is_found_however_its_path_is_written(path, place):
    assert place == secret_place(path)


@pytest.mark.parametrize("path", ["", "/", "auth", "auth/", "v1/auth/kubernetes/login", "auth//login", "../sys", "a b",
                                  "kubernetes?x=1"])
def test_path_that_names_no_mount_is_shown(path):
    with pytest.raises(ValueError, match="expected .*auth/kubernetes/login") as caught:
        auth_mount(path)

    assert repr(path) in str(caught.value)


@pytest.mark.parametrize("path", ["", "secret", "secret/", "secret/data", "secret/data/", "data/x", "secret/metadata/x",
                                  "v1/secret/data/x", "secret/../x", "secret//x", "secret/x#y", "secret/*"])
def test_path_that_names_no_secret_is_shown(path):
    with pytest.raises(ValueError, match="expected .*secret/data/sentinel/production/data-fetch") as caught:
        secret_place(path)

    assert repr(path) in str(caught.value)


def test_http_is_refused_until_it_is_allowed(monkeypatch):
    monkeypatch.setenv("VAULT_ADDR", "http://vault:8200")

    with pytest.raises(SettingsError, match="unencrypted over http://, expected https://.*SENTINEL_VAULT_ALLOW_HTTP"):
        load_settings(VaultServerSettings)

    monkeypatch.setenv("SENTINEL_VAULT_ALLOW_HTTP", "true")
    assert "http://vault:8200" == load_settings(VaultServerSettings).vault_addr


@pytest.mark.parametrize("address", ["", "vault:8200", "https://user:word@vault", "ftp://vault", "https://vault?x=1"])
def test_address_that_is_none_is_refused(monkeypatch, address):
    monkeypatch.setenv("VAULT_ADDR", address)

    with pytest.raises(SettingsError, match=r"VAULT_ADDR \(set\).*https://vault.example.com:8200") as caught:
        load_settings(VaultServerSettings)

    assert "word" not in str(caught.value)


def test_missing_file_of_certificates_is_named(monkeypatch):
    monkeypatch.setenv("VAULT_ADDR", "https://vault")
    monkeypatch.setenv("VAULT_CACERT", str(Path("/nowhere/ca.pem")))

    with pytest.raises(SettingsError, match="VAULT_CACERT.*there is no file /nowhere/ca.pem"):
        load_settings(VaultServerSettings)
