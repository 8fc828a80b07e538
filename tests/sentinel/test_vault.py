"""Secrets from Vault: the real hvac against a double of Vault's far end."""

import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from sentinel.errors import NotFoundError, PermissionDeniedError, SentinelError, UnavailableError
from sentinel.vault import read_secrets
from sentinel.vault_settings import VaultSettings
from tests.sources.conftest import FakeClock
from tests.vault_double import (
    DENIED, ENDED_TOKEN, NOTHING, PLACE, ROLE, SEALED, STANDBY, Role, VaultDouble, service_account_token, vault_double)

CANARY = "canary-3f9c1d"
SHORT_SECONDS = 0.8
LOGIN, READ, LOGOUT = "POST /v1/auth/kubernetes/login", f"GET /v1/{PLACE}", "POST /v1/auth/token/revoke-self"


@pytest.fixture
def vault() -> Iterator[VaultDouble]:
    """Return a Vault with one secret."""
    with vault_double({"MONGODB_URI": f"mongodb://{CANARY}", "GITHUB_TOKEN": "token\n"}) as double:
        yield double


@pytest.fixture
def token_file(tmp_path) -> Path:
    """Return the file of a service account's token."""
    file = tmp_path / "token"
    file.write_text(service_account_token())
    return file


@pytest.fixture
def settings(vault, token_file) -> VaultSettings:
    """Return settings that fit."""
    return VaultSettings(vault_addr=vault.address, vault_allow_http=True, vault_role=ROLE, vault_secret_path=PLACE,
                         vault_token_path=token_file, vault_budget_seconds=20)


@pytest.fixture
def clock(monkeypatch) -> FakeClock:
    """Let the pauses between tries take no time, so that the budget is spent by them alone."""
    clock = FakeClock()
    monkeypatch.setattr("sentinel.vault.time", clock)
    return clock


def failure(settings: VaultSettings, **changes: object) -> SentinelError:
    """Return the error of reading with some settings changed; it shows no secret."""
    with pytest.raises(SentinelError) as caught:
        read_secrets(settings.model_copy(update=changes))
    assert CANARY not in str(caught.value)
    sent = settings.vault_token_path.read_text() if settings.vault_token_path.is_file() else ""
    assert not sent or sent not in str(caught.value)
    return caught.value


def assert_matches(words: str, error: Exception) -> None:
    """Check the text of an error by a pattern."""
    assert re.search(words, str(error)), str(error)


def test_secret_is_read_and_the_login_is_given_back(vault, settings):
    found = read_secrets(settings)

    assert {"MONGODB_URI": f"mongodb://{CANARY}", "GITHUB_TOKEN": "token"} == {
        key: value.get_secret_value() for key, value in found.items()}
    assert [LOGIN, READ, LOGOUT] == vault.heard
    assert {} == vault.tokens
    assert CANARY not in repr(found)


def test_log_names_keys_and_no_values(vault, settings, caplog):
    caplog.set_level(logging.DEBUG)
    with capture_logs() as events:
        read_secrets(settings)

    assert [("vault.secrets_read", ["GITHUB_TOKEN", "MONGODB_URI"])] == [(one["event"], one["keys"]) for one in events]
    for secret in (CANARY, vault.logins[0], vault.revoked[0]):
        assert secret not in repr(events) + caplog.text


@pytest.mark.parametrize("n_good, reply, words", [
    (0, SEALED, "it is sealed.*vault operator unseal"), (0, STANDBY, "only a standby answers.*active server"),
    (0, (473, {"errors": []}), "only a standby answers"), (0, (501, {"errors": []}), "it is not initialized.*init"),
    (0, (429, {"errors": ["rate limit quota exceeded"]}), "it turns requests away.*quotas"),
    (1, (502, b"<html>"), "it fails.*502.*look at its log"), (1, (412, {"errors": []}), "it fails"),
])
def test_absence_is_asked_again_and_told_by_its_kind(vault, settings, clock, n_good, reply, words):
    vault.trouble = lambda n_heard: reply if n_heard > n_good else None

    error = failure(settings)

    assert (UnavailableError, 75) == (type(error), error.exit_code)
    assert 2 <= len(clock.slept) <= len(vault.heard)
    assert sum(clock.slept) < settings.vault_budget_seconds
    assert_matches(f"{words}.*run this again", error)


def test_vault_unsealed_within_the_budget_is_no_failure(vault, settings, clock):
    vault.trouble = lambda n_heard: SEALED if n_heard < 4 else None

    assert 2 == len(read_secrets(settings))
    assert [LOGIN] * 4 + [READ, LOGOUT] == vault.heard


def test_slow_vault_is_cut_off_by_the_budget(vault, settings):
    vault.slow_seconds = 2 * SHORT_SECONDS

    error = failure(settings, vault_budget_seconds=SHORT_SECONDS)

    assert_matches("it is too slow.*budget of 0.8 s", error)
    assert 75 == error.exit_code


def test_vault_that_is_away_is_told_with_its_address(vault, settings, clock, free_port):
    error = failure(settings, vault_addr=f"http://127.0.0.1:{free_port}")

    assert_matches(f"127.0.0.1:{free_port}: it cannot be reached.*refused", error)
    assert 75 == error.exit_code


@pytest.mark.parametrize("role, kind, words", [
    (None, NotFoundError, f"knows no role {ROLE}.*correct VAULT_ROLE"),
    (Role(subject="system:serviceaccount:other:data-fetch"), PermissionDeniedError,
     "refused role .* to system:serviceaccount:sentinel:data-fetch with a token for the audience vault"),
    (Role(audience="elsewhere"), PermissionDeniedError, "another audience than the token's, vault"),
    (Role(reads="secret/data/sentinel/production/data-fetch"), PermissionDeniedError,
     f"cannot read {PLACE}.*may not.*policy with read on {PLACE}.*VAULT_SECRET_PATH"),
])
def test_wrong_role_ends_at_once_and_says_what_is_wrong(vault, settings, clock, role, kind, words):
    vault.roles = {ROLE: role} if role else {}

    error = failure(settings)

    assert (kind, 2, []) == (type(error), error.exit_code, clock.slept)
    assert_matches(words, error)


def test_refused_read_is_tried_with_one_more_login(vault, settings):
    vault.trouble = lambda n_heard: DENIED if n_heard == 2 else None

    assert 2 == len(read_secrets(settings))
    assert [LOGIN, READ, LOGIN, READ, LOGOUT] == vault.heard


@pytest.mark.parametrize("n_ended, n_logins", [(1, 2), (9, 2)])
def test_ended_lease_is_renewed_by_one_login_and_then_told(vault, settings, n_ended, n_logins):
    vault.trouble = lambda n_heard: ENDED_TOKEN if READ in vault.heard[-1:] and len(vault.logins) <= n_ended else None

    if n_ended == 1:
        assert 2 == len(read_secrets(settings))
    else:
        error = failure(settings)
        assert_matches(f"two logins in a row ended.*raise token_ttl and token_num_uses of role {ROLE}", error)
        assert 2 == error.exit_code
    assert n_logins == len(vault.logins)


@pytest.mark.parametrize("reply, seen", [
    (NOTHING, "404, ''"), ((404, {"data": {"data": None, "metadata": {"custom": CANARY}}}), "404, 'deleted'"),
])
def test_secret_that_is_not_there_is_named(vault, settings, reply, seen):
    vault.trouble = lambda n_heard: reply if n_heard == 2 else None

    error = failure(settings)

    assert (NotFoundError, 2) == (type(error), error.exit_code)
    assert_matches(f"cannot read {PLACE}.*there is nothing.*{seen}.*vault kv put secret/sentinel/staging/data", error)
    assert LOGOUT == vault.heard[-1]


@pytest.mark.parametrize("text, words", [
    ("could not load backend configuration", "auth/kubernetes does not know its Kubernetes cluster"),
    ("invalid issuer (iss) claim", "refused role .*invalid issuer"),
])
def test_refusal_that_comes_as_an_error_of_the_server_is_not_asked_again(vault, settings, text, words):
    vault.trouble = lambda n_heard: (500, {"errors": [text]})

    error = failure(settings)

    assert_matches(words, error)
    assert (2, [LOGIN]) == (error.exit_code, vault.heard)


@pytest.mark.parametrize("text, words", [
    ("invalid subject", "refused role .*invalid subject.* to system:serviceaccount:sentinel:data-fetch"),
    ("error validating claims: claim \"role\" does not match", "refused role .*claim"),
    ("invalid audience (aud) claim", "another audience than the token's, vault"),
])
def test_bad_request_about_the_token_is_a_missing_permission(vault, settings, text, words):
    vault.trouble = lambda n_heard: (400, {"errors": [text]})

    error = failure(settings)

    assert (PermissionDeniedError, 2, [LOGIN]) == (type(error), error.exit_code, vault.heard)
    assert_matches(words, error)


def test_missing_mount_of_logins_is_named(vault, settings):
    vault.trouble = lambda n_heard: (404, {"errors": ["no handler for route \"auth/elsewhere/login\""]})

    error = failure(settings, vault_path_auth="auth/elsewhere/login")

    assert_matches("nothing takes logins at auth/elsewhere.*VAULT_PATH_AUTH", error)
    assert (2, 1) == (error.exit_code, len(vault.heard))


@pytest.mark.parametrize("content, words", [
    (None, "no such file or directory"), ("", "an empty file"), ("two words", "more than one word"),
    ("tök", "not text"),
])
def test_unreadable_token_file_is_told_before_vault_is_asked(vault, settings, token_file, content, words):
    token_file.unlink()
    if content is not None:
        token_file.write_text(content)

    error = failure(settings)

    assert_matches(f"{token_file}: {words}.*VAULT_TOKEN_PATH", error)
    assert (2, []) == (error.exit_code, vault.heard)


def test_expired_token_of_the_service_account_is_told(vault, settings, token_file):
    token_file.write_text(service_account_token(seconds=-60))

    error = failure(settings)

    assert_matches(f"the token in {token_file} expired at .* UTC.*kubelet renews", error)
    assert 2 == error.exit_code


def test_rotated_token_is_used_at_the_next_try(vault, settings, token_file):
    old, new = token_file.read_text(), service_account_token(seconds=900)

    def rotate(n_heard: int) -> object:
        token_file.write_text(new)
        return SEALED if n_heard == 1 else None
    vault.trouble = rotate
    read_secrets(settings)

    assert new in vault.logins
    assert old not in vault.logins  # the first answer came before any login was looked at


def test_operators_token_is_never_used(vault, settings, monkeypatch):
    monkeypatch.setenv("VAULT_TOKEN", "root")

    read_secrets(settings)

    assert ["root"] != vault.revoked


def test_text_of_a_server_that_repeats_the_request_is_cleaned(vault, settings):
    vault.reflects = True
    vault.roles = {ROLE: Role(reads="secret/data/other")}
    denied_read = failure(settings)
    vault.trouble = lambda n_heard: DENIED
    denied_login = failure(settings)

    assert "[hidden]" in str(denied_read)
    assert "[hidden]" in str(denied_login)
    assert not any(token in str(denied_read) for token in vault.revoked)


@pytest.mark.parametrize("kept, words", [
    ({"PORT": 5}, r"PORT \(int\) seen, expected text"), ({"NESTED": {"a": CANARY}}, r"NESTED \(dict\) seen"),
])
def test_values_that_are_no_text_are_named(vault, settings, kept, words):
    vault.kept[PLACE] = kept

    error = failure(settings)

    assert_matches(words, error)
    assert 2 == error.exit_code


@pytest.mark.parametrize("n_good, words", [(0, "is not Vault: status 200"), (1, "not as KV version 2 answers")])
def test_answer_of_something_else_is_told(vault, settings, n_good, words):
    vault.trouble = lambda n_heard: (200, b"<html>log in</html>") if n_heard > n_good else None

    error = failure(settings)

    assert_matches(words, error)
    assert 2 == error.exit_code


def test_login_that_cannot_be_given_back_fails_nothing(vault, settings):
    vault.trouble = lambda n_heard: SEALED if n_heard == 3 else None

    with capture_logs() as events:
        assert 2 == len(read_secrets(settings))

    assert ["vault.login_not_revoked", "vault.secrets_read"] == [one["event"] for one in events]


def test_namespace_goes_with_every_request(vault, settings):
    read_secrets(settings.model_copy(update={"vault_namespace": "platform/sentinel"}))

    assert ["platform/sentinel"] * 3 == vault.namespaces
