"""What Vault's answers mean: which are worth asking again, and what to tell a person of the others."""

from collections.abc import Iterable
from dataclasses import dataclass

import requests
from hvac.exceptions import VaultError

from sentinel.errors import FixNeededError, NotFoundError, PermissionDeniedError, SentinelError, UnavailableError
from sentinel.service_account import ServiceAccountToken
from sentinel.vault_settings import VaultSettings, auth_mount, secret_place

# 412: not yet replicated; 429: too many, or a standby; 472, 473: standbys of replication.
TEMPORARY_STATUSES = frozenset({412, 429, 472, 473, *range(500, 600)})
# Versions of the Kubernetes auth method answer these with status 500, though asking again changes nothing.
NOT_CONFIGURED = "could not load backend configuration"
TOKEN_WORDS = ("audience", "claim", "issuer", "subject", "malformed", "compact jws")  # it knows us, and refuses
FINAL_TEXTS = (NOT_CONFIGURED, *TOKEN_WORDS)
MOST_CHARACTERS = 200
BAD_CERTIFICATE = "CERTIFICATE_VERIFY_FAILED"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, without secrets; `status` is None where no answer came."""

    status: int | None
    text: str
    is_temporary: bool

    @classmethod
    def of(cls, error: Exception, status: int | None, hidden: Iterable[str]) -> "Answer":
        """Read an error of hvac or requests; texts in `hidden` are replaced."""
        if isinstance(error, VaultError):
            text = _said(error)
            is_final = any(final in text.lower() for final in FINAL_TEXTS) and "sealed" not in text
            is_temporary = status in TEMPORARY_STATUSES and not is_final
        else:
            status, text = None, _words(error)
            is_temporary = isinstance(error, requests.ConnectionError | requests.Timeout
                                      | requests.exceptions.ChunkedEncodingError) and BAD_CERTIFICATE not in str(error)
        for secret in hidden:
            text = text.replace(secret, "[hidden]")
        return cls(status, " ".join(text.split())[:MOST_CHARACTERS], is_temporary)

    def __str__(self) -> str:
        return f"{self.status}, {self.text!r}" if self.status else self.text


def unavailable_error(settings: VaultSettings, answer: Answer, n_requests: int) -> UnavailableError:
    """Say which kind of absence outlasted the budget."""
    seen, next_step = _absence(answer)
    return UnavailableError(
        f"cannot read {settings.vault_secret_path} from Vault at {settings.vault_addr}: {seen} ({answer}) after "
        f"{n_requests} requests in the budget of {settings.vault_budget_seconds:g} s; {next_step}, then run this again")


def login_error(settings: VaultSettings, account: ServiceAccountToken, answer: Answer) -> SentinelError:
    """Say why logging in was refused for good, as far as Vault and the token tell."""
    mount, role = auth_mount(settings.vault_path_auth), settings.vault_role
    cannot = f"cannot log in to Vault at {settings.vault_addr}"
    if answer.status is None:
        return _no_connection(settings, answer)
    if account.is_expired:
        return PermissionDeniedError(
            f"{cannot}: the token in {settings.vault_token_path} expired at {account.expires_at:%Y-%m-%d %H:%M:%S} UTC "
            f"({answer}); expected a file that kubelet renews; check the projected volume and the machine's clock")
    is_of_the_token = any(word in answer.text.replace(role, "").lower() for word in TOKEN_WORDS)
    if answer.status == 404 or (answer.status in (400, 405) and "role" not in answer.text and not is_of_the_token):
        return NotFoundError(f"{cannot}: nothing takes logins at auth/{mount} ({answer}); expected the mount of the "
                             "Kubernetes auth method; correct VAULT_PATH_AUTH or enable it there")
    if answer.status == 400 and not is_of_the_token:
        return NotFoundError(f"{cannot}: it knows no role {role} at auth/{mount} ({answer}); correct VAULT_ROLE, or "
                             "make the role with `python -m delivery.vault_setup`")
    if NOT_CONFIGURED in answer.text:
        return NotFoundError(f"{cannot}: auth/{mount} does not know its Kubernetes cluster ({answer}); expected a "
                             "configured method; configure it with `python -m delivery.vault_setup`")
    audiences = ", ".join(account.audiences) or "none"
    if "audience" in answer.text.lower():
        return PermissionDeniedError(f"{cannot}: role {role} wants another audience than the token's, {audiences} "
                                     f"({answer}); give the projected volume the audience of the role")
    return PermissionDeniedError(
        f"{cannot}: it refused role {role} at auth/{mount} ({answer}) to {account.subject} with a token for the "
        f"audience {audiences}; expected a role bound to that service account, namespace and audience; "
        "correct VAULT_ROLE, VAULT_PATH_AUTH, serviceAccountName or the volume's audience")


def read_error(settings: VaultSettings, answer: Answer, lease_is_over: bool) -> SentinelError:
    """Say why reading the secret was refused for good, after a fresh login."""
    mount, path = secret_place(settings.vault_secret_path)
    cannot = f"cannot read {mount}/data/{path} from Vault at {settings.vault_addr}"
    if answer.status is None:
        return _no_connection(settings, answer)
    if answer.status == 403 and (lease_is_over or "invalid token" in answer.text):
        return PermissionDeniedError(f"{cannot}: two logins in a row ended before the secret was read ({answer}); "
                                     f"expected a login that lasts; raise token_ttl and token_num_uses of role "
                                     f"{settings.vault_role}")
    if answer.status == 403:
        return PermissionDeniedError(f"{cannot}: role {settings.vault_role} may not ({answer}); expected a policy with "
                                     f"read on {mount}/data/{path}; correct VAULT_SECRET_PATH, or the role's policy")
    if answer.status == 404:
        return NotFoundError(f"{cannot}: there is nothing, or its newest version is deleted ({answer}); expected a "
                             f"secret of KV version 2; write it with `vault kv put {mount}/{path} NAME=VALUE ...`")
    return FixNeededError(f"{cannot}: seen {answer}, expected a secret of KV version 2; check VAULT_SECRET_PATH")


def _absence(answer: Answer) -> tuple[str, str]:
    text = answer.text.lower()
    if answer.status == 501 or "not initialized" in text:
        return "it is not initialized", "initialize and unseal it (`vault operator init`)"
    if "sealed" in text:
        return "it is sealed", "unseal it (`vault operator unseal`)"
    if answer.status in (472, 473) or "standby" in text or "not active" in text:
        return "only a standby answers", "bring an active server up, or name it in VAULT_ADDR"
    if answer.status == 429:
        return "it turns requests away", "wait, or raise its rate limit quotas"
    if answer.status is not None:
        return "it fails", "look at its log"
    if "time-out" in text:
        return "it is too slow", "look at its load and at the network"
    return "it cannot be reached", "check that it runs, VAULT_ADDR, and the network policies"


def _no_connection(settings: VaultSettings, answer: Answer) -> FixNeededError:
    if BAD_CERTIFICATE in answer.text:
        return FixNeededError(f"cannot trust Vault at {settings.vault_addr}: {answer}; expected a certificate for that "
                              "name by an authority that VAULT_CACERT holds; correct either")
    return FixNeededError(f"cannot talk to Vault at {settings.vault_addr}: {answer}; check VAULT_ADDR and VAULT_CACERT")


def _said(error: VaultError) -> str:
    """Return Vault's own words; a deleted version comes with its metadata, which is nobody's to read here."""
    if error.errors:
        return ", ".join(map(str, error.errors))
    is_deleted = isinstance(error.json, dict) and error.json.get("data")
    return "deleted" if is_deleted else str(error.args[0] or "")


def _words(error: Exception) -> str:
    """Return the innermost reason; those around it repeat addresses and objects."""
    if isinstance(error, requests.Timeout):
        return "time-out"
    reason = getattr(error.args[0], "reason", error) if error.args else error
    text = str(reason)
    return text if BAD_CERTIFICATE in text else f"{type(error).__name__}: {text.rpartition(': ')[2]}"
