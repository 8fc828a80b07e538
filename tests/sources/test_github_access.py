"""Who asks: a GitHub App whose tokens end, against a simulated GitHub that checks its signature."""

import threading
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr
from structlog.testing import capture_logs

from sentinel.errors import PermissionDeniedError, SettingsError
from sentinel.sources.github import GitHubSource
from sentinel.sources.github.access import AppKey, TokenAccess
from sentinel.sources.github.client import open_client
from sentinel.sources.simulated import FaultPlan, SimulatedGitHub, make_simulated_github, serve
from sentinel.sources.simulated.app import SimulatedApp
from sentinel.sources.simulated.faults import Fault
from tests.sources.conftest import HARBOUR, FakeClock


def make_keys() -> tuple[str, str]:
    """Return a private and a public key as PEM text."""
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                serialization.NoEncryption())
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


PRIVATE, PUBLIC = make_keys()


class AsApp:
    """A simulated GitHub with an App, and a client that asks as this App."""

    def __init__(self, plan: FaultPlan) -> None:
        self.clock = FakeClock()
        self.github: SimulatedGitHub = make_simulated_github("", plan, pull_requests={HARBOUR: 350})
        self.app = self.github.app = SimulatedApp("42", "7", PUBLIC, self.clock.now)

    @contextmanager
    def open(self, private_key: str = PRIVATE, installation_id: str = "7", app_id: str = "42"):
        key = AppKey(app_id, SecretStr(private_key), installation_id)
        with serve(self.github) as address, open_client(address, None, 1e6, self.clock, key) as client:
            yield client

    def pages(self, client):
        return GitHubSource(client, [HARBOUR], "test:", with_files=True).pages(lambda repository: None)


@pytest.fixture
def as_app() -> Callable[..., AsApp]:
    return lambda plan=FaultPlan(): AsApp(plan)


def test_app_reads_with_one_token(as_app):
    app = as_app()
    with app.open() as client:
        read = sum(len(page.records) for page in app.pages(client))

    assert (350, 1) == (read, len(app.app.tokens))


def test_token_is_renewed_before_it_ends(as_app):
    app = as_app()
    with app.open() as client:
        n_pages = 0
        for n_pages, _ in enumerate(app.pages(client), start=1):
            app.clock.sleep(timedelta(minutes=56).total_seconds())

    assert n_pages == len(app.app.tokens) >= 4
    assert 0 == client.counts.failures


def test_token_that_was_revoked_is_asked_for_anew(as_app):
    app = as_app()
    with app.open() as client:
        pages = app.pages(client)
        next(pages)
        app.clock.sleep(120)
        app.app.tokens.clear()
        rest = sum(len(page.records) for page in pages)

    assert (250, 1) == (rest, len(app.app.tokens))


def test_new_token_that_is_refused_is_no_reason_for_another(as_app):
    app = as_app()
    app.app.knows = lambda token: False

    with app.open() as client, pytest.raises(PermissionDeniedError, match="GitHub answered 401"):
        next(app.pages(client))

    assert 1 == len(app.app.tokens)


def test_threads_share_one_token(as_app):
    app = as_app(FaultPlan(latency_seconds=0.02))
    with app.open() as client:
        threads = [threading.Thread(target=lambda: list(app.pages(client))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert 1 == len(app.app.tokens)


def test_token_is_asked_for_again_when_github_fails(as_app):
    app = as_app(FaultPlan(by_request={1: Fault.BAD_GATEWAY, 2: Fault.SECONDARY_RETRY_AFTER, 3: Fault.RESET}))

    with app.open() as client:
        assert 350 == sum(len(page.records) for page in app.pages(client))


@pytest.mark.parametrize("wrong, said", [
    ({"app_id": "43"}, "PRIVATE_KEY belongs to SENTINEL_GITHUB_APP_ID"),
    ({"installation_id": "8"}, "check SENTINEL_GITHUB_APP_INSTALLATION_ID"),
])
def test_wrong_app_is_permission_to_fix(as_app, wrong, said):
    app = as_app()

    with app.open(**wrong) as client, pytest.raises(PermissionDeniedError, match=said):
        next(app.pages(client))


@pytest.mark.parametrize("key", ["no key", PRIVATE[:800], PUBLIC])
def test_broken_key_is_a_setting_to_fix_and_not_shown(as_app, key):
    app = as_app()

    with app.open(key) as client, pytest.raises(SettingsError, match="PRIVATE_KEY is no RSA private key") as caught:
        next(app.pages(client))

    assert key[100:140] not in str(caught.value) or key == "no key"


def test_app_logs_neither_key_nor_token(as_app):
    app = as_app()
    with capture_logs() as events, app.open() as client:
        next(app.pages(client))

    assert "github.app_token_received" in {one["event"] for one in events}
    assert not any(secret in repr(events) + repr(client) for secret in (*app.app.tokens, PRIVATE[100:140]))


@pytest.mark.parametrize("token, said", [
    (None, "set GITHUB_TOKEN"), (SecretStr(" "), "set GITHUB_TOKEN"), (SecretStr("ghp_ a b"), "not shown here"),
])
def test_token_that_is_none_is_permission_to_fix(token, said):
    with ExitStack(), pytest.raises(PermissionDeniedError, match=said):
        TokenAccess(token)
