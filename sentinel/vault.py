"""Secrets from Vault: log in as the service account, read one secret, give the login back, forget it.

Nothing is kept: who needs a secret anew, such as the scorer's copying process, logs in anew.
"""

import math
import random
import time
from collections.abc import Callable
from typing import Any, TypeVar

import hvac
import requests
from hvac.exceptions import VaultError
from pydantic import SecretStr
from requests.adapters import HTTPAdapter

from sentinel.errors import FixNeededError, SentinelError
from sentinel.logs import get_logger
from sentinel.service_account import read_service_account_token
from sentinel.vault_answers import Answer, login_error, read_error, unavailable_error
from sentinel.vault_settings import VaultSettings, auth_mount, secret_place

CONNECT_SECONDS, READ_SECONDS = 3.0, 5.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 3.0
LOG_OUT_SECONDS = 2.0
LEAST_SECONDS = 0.05  # requests takes no time-out of zero
MOST_REDIRECTS = 2  # from a standby to the active server
Result = TypeVar("Result")


def read_secrets(settings: VaultSettings) -> dict[str, SecretStr]:
    """Return the keys and values of the one secret, from a login that has ended when this returns.

    Raises PermissionDeniedError, NotFoundError or another FixNeededError where a person has to correct something,
    and UnavailableError where Vault stayed sealed, on standby, slow or away for longer than the budget.
    """
    started = time.monotonic()
    login = _Login(settings)
    try:
        values = _to_values(settings, login.read_anew_after_refusal())
    finally:
        login.log_out()
    get_logger().info("vault.secrets_read", path=settings.vault_secret_path, role=settings.vault_role,
                      keys=sorted(values), requests=login.transport.n_requests,
                      seconds=round(time.monotonic() - started, 3))
    return values


class _Transport(HTTPAdapter):
    """Cut every request off at the end of the budget, and remember the last answer's status.

    It stands for one scheme only, so that no redirect leads from https:// to http://.
    """

    def __init__(self, budget_seconds: float) -> None:
        super().__init__()
        self.deadline = time.monotonic() + budget_seconds
        self.status: int | None = None
        self.n_requests = 0

    def send(self, request: requests.PreparedRequest, *arguments: Any, **given: Any) -> requests.Response:
        """Send with time-outs that end with the budget."""
        left = max(LEAST_SECONDS, self.deadline - time.monotonic())
        self.status, self.n_requests = None, self.n_requests + 1
        given["timeout"] = (min(CONNECT_SECONDS, left), min(READ_SECONDS, left))
        response = super().send(request, *arguments, **given)
        self.status = response.status_code
        return response


class _Login:
    """One client of Vault; its token never leaves it."""

    def __init__(self, settings: VaultSettings) -> None:
        self.transport = _Transport(settings.vault_budget_seconds)
        self._settings = settings
        self._client = _open_client(settings, self.transport)
        self._account = read_service_account_token(settings.vault_token_path)
        self._lease_ends_at = math.inf

    def read_anew_after_refusal(self) -> Any:
        """Return the answer to reading the secret; a refusal may be an ended lease, so it logs in once more."""
        mount, path = secret_place(self._settings.vault_secret_path)

        def read() -> Any:
            return self._client.secrets.kv.v2.read_secret_version(path, mount_point=mount,
                                                                  raise_on_deleted_version=True)
        self._log_in()
        try:
            return self._until_budget(read)
        except _Refused as refused:
            if refused.answer.status != 403:
                raise self._read_error(refused) from None
        self._log_in()
        try:
            return self._until_budget(read)
        except _Refused as refused:
            raise self._read_error(refused) from None

    def log_out(self) -> None:
        """Revoke the token, if there is one; it ends by itself soon where that fails."""
        if self._client.token:
            self.transport.deadline = time.monotonic() + LOG_OUT_SECONDS
            try:
                self._client.auth.token.revoke_self()
            except (VaultError, requests.RequestException) as error:
                get_logger().warning("vault.login_not_revoked", error=type(error).__name__,
                                     status=self.transport.status, role=self._settings.vault_role)
        self._client.token = None
        self._client.adapter.close()

    def _log_in(self) -> None:
        settings, mount = self._settings, auth_mount(self._settings.vault_path_auth)

        def log_in() -> Any:
            self._account = read_service_account_token(settings.vault_token_path)  # kubelet renews the file
            self._client.token = ""
            return self._client.auth.kubernetes.login(settings.vault_role, self._account.value.get_secret_value(),
                                                      mount_point=mount)
        try:
            answer = self._until_budget(log_in)
        except _Refused as refused:
            raise login_error(settings, self._account, refused.answer) from None
        lease_seconds = float(answer["auth"].get("lease_duration") or math.inf)
        self._lease_ends_at = time.monotonic() + lease_seconds

    def _read_error(self, refused: "_Refused") -> SentinelError:
        return read_error(self._settings, refused.answer, time.monotonic() >= self._lease_ends_at)

    def _until_budget(self, ask: Callable[[], Result]) -> Result:
        """Ask until there is an answer; raises _Refused for a final one and UnavailableError after the budget."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                return ask()
            except (TypeError, KeyError):
                raise FixNeededError(
                    f"what answers at {self._settings.vault_addr} is not Vault: status {self.transport.status}, "
                    "no JSON as Vault's; check VAULT_ADDR, and proxies between") from None
            except (VaultError, requests.RequestException) as error:
                answer = Answer.of(error, self.transport.status, self._hidden())
            if not answer.is_temporary:
                raise _Refused(answer) from None
            wait = pause * random.uniform(0.5, 1.0)
            if time.monotonic() + wait >= self.transport.deadline:
                raise unavailable_error(self._settings, answer, self.transport.n_requests)
            time.sleep(wait)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _hidden(self) -> list[str]:
        """Return what no text may show, even where a server sends it back."""
        return [text for text in (self._account.value.get_secret_value(), self._client.token) if text]


class _Refused(Exception):
    """Carry an answer that asking again does not change."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.text)
        self.answer = answer


def _open_client(settings: VaultSettings, transport: _Transport) -> hvac.Client:
    session = requests.Session()
    session.adapters.clear()
    session.mount(settings.vault_addr.partition("//")[0] + "//", transport)
    session.max_redirects = MOST_REDIRECTS
    session.verify = str(settings.vault_cacert) if settings.vault_cacert else True
    # An empty token: hvac would look for one in VAULT_TOKEN and in ~/.vault-token.
    return hvac.Client(settings.vault_addr, token="", session=session, verify=session.verify,
                       namespace=settings.vault_namespace)


def _to_values(settings: VaultSettings, answer: Any) -> dict[str, SecretStr]:
    """Return the values of a KV version 2 answer; a file's last line break is no part of a secret."""
    place = settings.vault_secret_path
    try:
        stored = answer["data"]["data"]
        wrong = sorted(f"{key} ({type(value).__name__})" for key, value in stored.items() if not isinstance(value, str))
    except (TypeError, KeyError, AttributeError):
        raise FixNeededError(f"{place} in Vault is not as KV version 2 answers; check that the engine is of "
                             "version 2 (`vault secrets list -detailed`)") from None
    if wrong:
        raise FixNeededError(f"{place} in Vault: {', '.join(wrong)} seen, expected text for every key; "
                             "write them again as text")
    return {key: SecretStr(value.rstrip("\r\n")) for key, value in stored.items()}
