"""What GitHub's answers mean: a page, a wait, a smaller page, or something for a person to mend.

The table is GitHub's documentation on rate limits and on errors, and what its users report of both.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from sentinel.errors import (
    DataUnusableError, NotFoundError, PermissionDeniedError, SentinelError, SettingsError, UnavailableError,
)

SECONDARY_WAIT_SECONDS = 60.0  # GitHub's advice where it says nothing; doubled each time
LONGEST_RESET_SECONDS = 3_900.0  # a limit is reset each hour; anything longer is a wrong clock
RESET_MARGIN_SECONDS = 1.0
MILLISECONDS_FROM = 100_000_000_000  # as seconds, this would be the year 5138

SECONDARY = re.compile(r"secondary rate limit|abuse detection", re.IGNORECASE)
TOO_HEAVY = re.compile(
    r"timed?[ -]?out|something went wrong while executing your query|respond to your request in time", re.IGNORECASE)
TOO_HEAVY_TYPES = frozenset({"RESOURCE_LIMITS_EXCEEDED", "MAX_NODE_LIMIT_EXCEEDED"})
PRIMARY_TYPES = frozenset({"RATE_LIMITED", "RATE_LIMIT"})
TOKEN = re.compile(r"gh[a-z]_[A-Za-z0-9._-]{16,}|github_pat_[A-Za-z0-9_]{16,}")
NEEDED = ("a fine-grained token or GitHub App needs the permissions 'Pull requests: read' and 'Contents: read' on it, "
          "a classic token of a private repository the scope 'repo'")


class OverloadedError(UnavailableError):
    """GitHub did not manage this request; `is_heavy` when asking for less may help."""

    def __init__(self, text: str, *, is_heavy: bool) -> None:
        """Keep whether a smaller page may help."""
        super().__init__(text)
        self.is_heavy = is_heavy


class RefusedCursorError(DataUnusableError):
    """GitHub does not take this cursor any more; the walk has to begin anew."""


@dataclass(frozen=True, slots=True)
class Wait:
    """A limit: nothing may be asked for `seconds`; None where GitHub does not say how long."""

    reason: str
    seconds: float | None


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A whole answer; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """Return the beginning of the body on one line, without tokens."""
        return shown(self.body[:400].decode("utf-8", "replace"))


def shown(text: str) -> str:
    """Return text from outside that may be logged: one line, short, without tokens."""
    return TOKEN.sub("[token]", "".join(c if c.isprintable() else " " for c in text))[:200]


def find_wait(answer: HttpAnswer, now: datetime) -> Wait | None:
    """Return the limit that an answer tells of, or None."""
    if answer.status not in (200, 403, 429):
        return None
    errors = _errors(answer)
    if any(error.get("type") in PRIMARY_TYPES for error in errors):
        return Wait("primary rate limit", _until_reset(answer, now))
    told = " ".join(str(error.get("message")) for error in errors) if answer.status == 200 else answer.text
    if answer.status == 429 or SECONDARY.search(told):
        return Wait("secondary rate limit", _secondary_seconds(answer, now))
    if answer.status == 403 and answer.headers.get("x-ratelimit-remaining") == "0":
        return Wait("primary rate limit", _until_reset(answer, now))
    if answer.status == 403 and "retry-after" in answer.headers:
        return Wait("secondary rate limit", _secondary_seconds(answer, now))
    return None


def check_status(answer: HttpAnswer, what: str) -> None:
    """Raise what a status other than 200 means; `what` names the repository."""
    if answer.status == 200:
        return
    seen = f"GitHub answered {answer.status}: {answer.text}"
    if answer.status == 401:
        raise PermissionDeniedError(f"could not read {what}: {seen}; the token is wrong, expired or revoked: "
                                    "make a new one and set GITHUB_TOKEN")
    if answer.status == 451 or b'"block"' in answer.body:
        raise PermissionDeniedError(f"could not read {what}: GitHub has blocked it ({seen}); take it off the list")
    if answer.status == 403:
        raise PermissionDeniedError(f"could not read {what}: {_permission_advice(answer)}")
    if answer.status == 404:
        raise NotFoundError(f"could not read {what}: {seen}; check its name, and that the token may see it: {NEEDED}")
    if answer.status >= 500:
        raise OverloadedError(f"could not read {what}: {seen}", is_heavy=answer.status in (502, 504))
    raise SettingsError(f"could not read {what}: {seen}; expected 200. Check that SENTINEL_GITHUB_API_URL is the API "
                        "of a GitHub, such as https://api.github.com or https://HOST/api/v3")


def check_app_status(answer: HttpAnswer) -> None:
    """Raise what the answer to an App that asks for a token means; 201 is a token."""
    seen = f"GitHub answered {answer.status} to the App that asks for a token: {answer.text}"
    if answer.status == 401:
        raise PermissionDeniedError(f"{seen}; check that SENTINEL_GITHUB_APP_PRIVATE_KEY belongs to "
                                    "SENTINEL_GITHUB_APP_ID, and that this machine's clock is right")
    if answer.status == 404:
        raise PermissionDeniedError(f"{seen}; check SENTINEL_GITHUB_APP_INSTALLATION_ID: the App is not, or no longer, "
                                    "installed there")
    if answer.status == 403:
        raise PermissionDeniedError(f"{seen}; the installation may be suspended: let an owner resume it")
    if answer.status != 201:
        check_status(answer, "a token of the GitHub App")


def check_errors(errors: list[Mapping[str, Any]], what: str) -> None:
    """Raise what the errors of a GraphQL answer mean when they spoil the whole page."""
    for error in errors:
        kind, message = error.get("type"), shown(str(error.get("message")))
        if kind in TOO_HEAVY_TYPES or TOO_HEAVY.search(message):
            raise OverloadedError(f"could not read {what}: {message}", is_heavy=True)
        if kind == "INVALID_CURSOR_ARGUMENTS" or "valid cursor" in message:
            raise RefusedCursorError(f"could not go on reading {what}: {message}")
        if node_of(error) is not None:
            continue
        if kind == "NOT_FOUND":
            raise NotFoundError(
                f"could not read {what}: {message} Check its name, and that the token may see it: {NEEDED}")
        if kind in ("FORBIDDEN", "INSUFFICIENT_SCOPES"):
            raise PermissionDeniedError(f"could not read {what}: {message}; {NEEDED}")
        if kind is None and error.get("path") is None:
            raise SentinelError(f"could not read {what}: GitHub does not take the query ({message}); "
                                "this GitHub may be older than the fields that it asks for")
        raise OverloadedError(f"could not read {what}: {shown(str(kind))}: {message}", is_heavy=False)


def node_of(error: Mapping[str, Any]) -> int | None:
    """Return the place of the pull request that an error is about, or None where it spoils the page."""
    path = error.get("path")
    if isinstance(path, list) and path[:3] == ["repository", "pullRequests", "nodes"] and len(path) > 3:
        return path[3] if isinstance(path[3], int) else None
    return None


def _permission_advice(answer: HttpAnswer) -> str:
    if "x-github-sso" in answer.headers or "SAML" in answer.text:
        return f"the organisation enforces SAML ({answer.text}); authorise the token for it on GitHub"
    wanted = answer.headers.get("x-accepted-github-permissions") or answer.headers.get("x-accepted-oauth-scopes")
    missing = f"it asks for {shown(wanted)}" if wanted else NEEDED
    return f"the token does not allow it ({answer.text}); {missing}"


def _errors(answer: HttpAnswer) -> list[Mapping[str, Any]]:
    if not answer.body.startswith(b"{") or b'"errors"' not in answer.body:
        return []
    try:
        errors = orjson.loads(answer.body).get("errors")
    except orjson.JSONDecodeError:
        return []
    return [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []


def _secondary_seconds(answer: HttpAnswer, now: datetime) -> float | None:
    said = answer.headers.get("retry-after", "")
    if said.isdecimal():
        return float(said) + RESET_MARGIN_SECONDS
    if answer.headers.get("x-ratelimit-remaining") == "0":
        return _until_reset(answer, now)
    return None


def _until_reset(answer: HttpAnswer, now: datetime) -> float | None:
    said = answer.headers.get("x-ratelimit-reset", "")
    if not said.isdecimal():
        return None
    reset = int(said) / 1000 if int(said) >= MILLISECONDS_FROM else int(said)
    seconds = reset - now.astimezone(UTC).timestamp()
    return min(max(seconds, 0.0), LONGEST_RESET_SECONDS) + RESET_MARGIN_SECONDS
