"""Who asks GitHub: the holder of a token, or an installed GitHub App whose tokens last an hour."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from pydantic import SecretStr

from sentinel.errors import PermissionDeniedError, SettingsError
from sentinel.logs import get_logger

JWT_LIFE = timedelta(minutes=9)  # GitHub takes at most 10
CLOCK_SKEW = timedelta(seconds=60)  # as GitHub advises
RENEW_BEFORE = timedelta(minutes=5)  # longer than any request takes
NEW_FOR = timedelta(minutes=1)
LONG_AGO = datetime.min.replace(tzinfo=UTC)
NO_ACCESS = ("GitHub's GraphQL API wants a token even for public repositories: make a fine-grained one that may read "
             "pull requests, and set GITHUB_TOKEN; or set the three settings SENTINEL_GITHUB_APP_...")


class Access(Protocol):
    """Gives the token for the next request."""

    def token(self) -> str:
        """Return a token that holds for a while; threads may ask at once."""
        ...

    def renew(self, refused: str) -> bool:
        """Tell whether there is another token instead of the one that GitHub `refused`."""
        ...


class TokenAccess:
    """A person's or a workflow's token, which stays as it is."""

    def __init__(self, token: SecretStr | None) -> None:
        """Check the token without showing it; raises PermissionDeniedError."""
        value = "" if token is None else token.get_secret_value().strip()
        if not value:
            raise PermissionDeniedError(NO_ACCESS)
        if not value.isascii() or not value.isprintable() or " " in value:
            raise PermissionDeniedError(
                "GITHUB_TOKEN holds characters that no token has (it is not shown here); set it anew")
        self._token = value

    def token(self) -> str:
        """Return the token."""
        return self._token

    def renew(self, refused: str) -> bool:
        """Return False: there is no other."""
        return False


@dataclass(frozen=True, slots=True)
class AppKey:
    """What proves that we are the App; the key is PEM text."""

    app_id: str
    private_key: SecretStr
    installation_id: str


@dataclass(slots=True)
class AppAccess:
    """An installation of a GitHub App: a token is asked for with a JWT and renewed before it ends.

    `ask(path, jwt)` posts to GitHub and returns the answer's JSON. Threads that need a new token
    wait for the one that asks for it.
    """

    key: AppKey
    ask: Callable[[str, str], Mapping[str, Any]]
    now: Callable[[], datetime]
    _token: str = field(default="", repr=False)
    _received_at: datetime = LONG_AGO
    _ends_at: datetime = LONG_AGO
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def token(self) -> str:
        """Return the installation's token, a new one when the last one is about to end."""
        with self._lock:
            if not self._token or self.now() >= self._ends_at - RENEW_BEFORE:
                self._ask_for_token()
            return self._token

    def renew(self, refused: str) -> bool:
        """Let the next request ask for a new token; one that is refused when it is new stays refused."""
        with self._lock:
            if self._token == refused and self.now() - self._received_at < NEW_FOR:
                return False
            if self._token == refused:
                self._token = ""
            return True

    def _ask_for_token(self) -> None:
        answer = self.ask(f"/app/installations/{self.key.installation_id}/access_tokens", self._jwt())
        try:
            self._ends_at = datetime.fromisoformat(answer["expires_at"]).astimezone(UTC)
            self._token, self._received_at = str(answer["token"]), self.now()
        except (KeyError, TypeError, ValueError) as error:
            raise PermissionDeniedError("GitHub's answer to the App's request for a token holds none; check that "
                                        "SENTINEL_GITHUB_API_URL is the API of a GitHub") from error
        get_logger().info("github.app_token_received", ends_at=self._ends_at.isoformat(),
                          permissions=answer.get("permissions"))

    def _jwt(self) -> str:
        """Sign who we are, for a few minutes."""
        import jwt
        now = self.now()
        claims = {"iat": int((now - CLOCK_SKEW).timestamp()), "exp": int((now + JWT_LIFE).timestamp()),
                  "iss": self.key.app_id}
        try:
            return jwt.encode(claims, self.key.private_key.get_secret_value(), algorithm="RS256")
        except (ValueError, TypeError, AttributeError, jwt.PyJWTError):  # AttributeError: a public key
            # The library's text may show parts of the key.
            raise SettingsError("SENTINEL_GITHUB_APP_PRIVATE_KEY is no RSA private key; expected the PEM text that "
                                "GitHub gave for the App, with its line breaks") from None
