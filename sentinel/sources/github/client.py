"""One connection to GitHub's API: limits obeyed, answers read to a deadline, the token kept to its origin."""

import random
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Protocol
from urllib.parse import urljoin, urlsplit

import httpx2
import orjson
from pydantic import SecretStr

from sentinel.errors import SettingsError, UnavailableError
from sentinel.logs import get_logger
from sentinel.sources.github.access import Access, AppAccess, AppKey, TokenAccess
from sentinel.sources.github.limits import (
    SECONDARY_WAIT_SECONDS, HttpAnswer, OverloadedError, check_app_status, check_errors, check_status, find_wait,
)

CONNECT_SECONDS, SILENCE_SECONDS = 5.0, 15.0  # GitHub gives up after 10 s
ANSWER_SECONDS = 30.0  # for a whole answer, however slowly it drips
LARGEST_ANSWER_BYTES = 67_108_864
SECONDARY_TRIES = 5
TRIES_AS_APP = 6
FIRST_BACK_OFF_SECONDS, LONGEST_BACK_OFF_SECONDS = 1.0, 60.0
MAX_REDIRECTS = 5
NEXT_LINK = re.compile(r'<([^>]+)>[^,]*;\s*rel="next"')
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Clock(Protocol):
    """Time, so that tests need not wait."""

    def now(self) -> datetime:
        """Return the time of day, UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds since some moment; never goes back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the time of day, UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds since the machine started."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


@dataclass(frozen=True, slots=True)
class GraphqlAnswer:
    """The data of a GraphQL answer, with the errors about single pull requests."""

    data: Mapping[str, Any]
    errors: tuple[Mapping[str, Any], ...]
    server_time: datetime


@dataclass(slots=True)
class RequestCounts:
    """What was asked so far."""

    requests: int = 0
    points: int = 0
    waits: int = 0
    failures: int = 0
    points_left: int | None = None


@dataclass(slots=True)
class GitHubClient:
    """Ask GitHub, wait as it says, and give up when the budget is spent; threads may share one."""

    http: httpx2.Client
    api_url: str
    graphql_url: str
    clock: Clock
    deadline: float  # of the monotonic clock
    access: Access
    counts: RequestCounts = field(default_factory=RequestCounts)
    _closed_until: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def query(self, query: str, operation: str, variables: Mapping[str, Any], what: str) -> GraphqlAnswer:
        """Ask GraphQL; raises OverloadedError, RefusedCursorError or what a person has to mend."""
        body = orjson.dumps({"query": query, "operationName": operation, "variables": variables})
        answer = self._ask("POST", self.graphql_url, body, what)
        content = _parse(answer, what)
        errors = [error for error in content.get("errors") or () if isinstance(error, dict)]
        check_errors(errors, what)
        data = content.get("data")
        if not isinstance(data, dict) or not isinstance(data.get("repository"), dict):
            raise OverloadedError(f"could not read {what}: the answer holds no data", is_heavy=False)
        self._count_points(data.get("rateLimit"))
        return GraphqlAnswer(data, tuple(errors), _server_time(answer, self.clock))

    def get_list(self, path: str, what: str) -> Iterator[Any]:
        """Yield the items of a REST list, page by page along its links."""
        url: str | None = f"{self.api_url}{path}"
        while url is not None:
            answer = self._get(url, what)
            items = _parse(answer, what)
            if not isinstance(items, list):
                raise OverloadedError(f"could not read {what}: expected a list", is_heavy=False)
            yield from items
            link = NEXT_LINK.search(answer.headers.get("link", ""))
            url = None if link is None else self._same_origin(url, link[1])

    def ask_as_app(self, path: str, jwt: str) -> Mapping[str, Any]:
        """Ask for a token of a GitHub App; raises what a person has to mend, or UnavailableError."""
        what = "a token of the GitHub App"
        for failures in range(1, TRIES_AS_APP + 1):
            try:
                answer = self._send("POST", f"{self.api_url}{path}", b"", what, jwt)
                wait = find_wait(answer, self.clock.now())
                if wait is None:
                    check_app_status(answer)
                    return dict(_parse(answer, what))
                self._wait(f"GitHub's {wait.reason}", wait.seconds or SECONDARY_WAIT_SECONDS)
            except OverloadedError as error:
                self.back_off(failures, error)
        raise UnavailableError(f"could not get {what} in {TRIES_AS_APP} tries; run it again later")

    def back_off(self, failures: int, error: OverloadedError) -> None:
        """Wait before the next try, at random, longer after each failure, up to a minute.

        Raises UnavailableError when the budget is spent.
        """
        with self._lock:
            self.counts.failures += 1
        longest = min(LONGEST_BACK_OFF_SECONDS, FIRST_BACK_OFF_SECONDS * 2.0 ** min(failures - 1, 10))
        self._wait(str(error), random.uniform(0.1, longest))

    def _get(self, url: str, what: str) -> HttpAnswer:
        """Read a REST address; a renamed repository leads elsewhere on the same origin."""
        for _ in range(MAX_REDIRECTS):
            answer = self._ask("GET", url, None, what)
            if answer.status == 200:
                return answer
            url = self._same_origin(url, answer.headers.get("location", ""))
        raise UnavailableError(f"could not read {what}: more than {MAX_REDIRECTS} redirects; try again later")

    def _same_origin(self, base: str, target: str) -> str:
        """Return where a link or redirect leads; the token goes to the configured origin only."""
        url = urljoin(base, target)
        if urlsplit(url)[:2] != urlsplit(self.api_url)[:2]:
            raise SettingsError(
                f"GitHub's answer leads to {urlsplit(url).hostname}, the token is meant for "
                f"{urlsplit(self.api_url).hostname} only; set SENTINEL_GITHUB_API_URL to the API itself")
        return url

    def _ask(self, method: str, url: str, body: bytes | None, what: str) -> HttpAnswer:
        """Send a request until it gets an answer that is no limit; its status is 200 or, for GET, a redirect."""
        waits_without_hint = 0
        while True:
            self._pass_gate()
            token = self.access.token()
            answer = self._send(method, url, body, what, token)
            if answer.status == 401 and self.access.renew(token):
                continue
            wait = find_wait(answer, self.clock.now())
            if wait is None:
                if not (method == "GET" and answer.status in (301, 302, 307, 308)):
                    check_status(answer, what)
                return answer
            seconds = wait.seconds
            if seconds is None:
                waits_without_hint += 1
                if waits_without_hint > SECONDARY_TRIES:
                    raise UnavailableError(f"could not read {what}: still at GitHub's {wait.reason} after "
                                           f"{SECONDARY_TRIES} waits; run it again later, it goes on where it stopped")
                seconds = SECONDARY_WAIT_SECONDS * 2.0 ** (waits_without_hint - 1)
            self._wait(f"GitHub's {wait.reason}", seconds + random.uniform(0, 0.5))

    def _send(self, method: str, url: str, body: bytes | None, what: str, token: str) -> HttpAnswer:
        """Send one request and read its whole answer, to a deadline and up to a size."""
        with self._lock:
            self.counts.requests += 1
        give_up_at = self.clock.monotonic() + ANSWER_SECONDS
        try:
            authorization = {"Authorization": f"Bearer {token}"}
            with self.http.stream(method, url, content=body, headers=authorization) as response:
                chunks, size = [], 0
                for chunk in response.iter_bytes():
                    chunks.append(chunk)
                    size += len(chunk)
                    if self.clock.monotonic() > give_up_at or size > LARGEST_ANSWER_BYTES:
                        raise OverloadedError(f"could not read {what}: the answer was not whole after "
                                              f"{ANSWER_SECONDS:.0f} s and {size} bytes", is_heavy=True)
                return HttpAnswer(response.status_code, dict(response.headers), b"".join(chunks))
        except (httpx2.ReadTimeout, httpx2.WriteTimeout) as error:
            raise OverloadedError(f"could not read {what}: GitHub was silent for {SILENCE_SECONDS:.0f} s",
                                  is_heavy=True) from error
        except httpx2.HTTPError as error:
            raise OverloadedError(f"could not read {what}: {type(error).__name__} from {urlsplit(url).hostname}",
                                  is_heavy=False) from error

    def _pass_gate(self) -> None:
        """Wait while a limit holds for this token, whoever met it; raises UnavailableError after the deadline."""
        while (left := self._closed_until - self.clock.monotonic()) > 0:
            self.clock.sleep(left)
        if self.clock.monotonic() > self.deadline:
            raise UnavailableError("this run took all the time that it may take; what was read is stored: "
                                   "run it again, it goes on from there")

    def _wait(self, reason: str, seconds: float) -> None:
        """Close the gate for `seconds`; raises UnavailableError when that is beyond the budget."""
        now = self.clock.monotonic()
        until = (self.clock.now() + timedelta(seconds=seconds)).isoformat(timespec="seconds")
        if now + seconds > self.deadline:
            raise UnavailableError(f"{reason}; the next try would be at {until}, beyond what this run may take. "
                                   "What was read is stored: run it again then, it goes on from there")
        with self._lock:
            self._closed_until = max(self._closed_until, now + seconds)
            self.counts.waits += 1
        get_logger().warning("github.waiting", reason=reason, seconds=round(seconds, 1), until=until)
        self._pass_gate()

    def _count_points(self, rate_limit: Any) -> None:
        if isinstance(rate_limit, dict):
            with self._lock:
                self.counts.points += int(rate_limit.get("cost") or 0)
                self.counts.points_left = rate_limit.get("remaining")


@contextmanager
def open_client(api_url: str, token: SecretStr | None, budget_seconds: float, clock: Clock | None = None,
                app_key: AppKey | None = None) -> Iterator[GitHubClient]:
    """Make a client of the API at `api_url`, for the App if there is one; nothing is asked yet.

    Raises PermissionDeniedError without any access: GitHub's GraphQL wants it even for public repositories.
    """
    url, clock = api_url.rstrip("/"), clock or SystemClock()
    headers = {
        "User-Agent": "sentinel-pull-requests", "Accept": "application/vnd.github+json",
        "X-GitHub-Api-Version": "2022-11-28", "Content-Type": "application/json",
    }
    is_local = urlsplit(url).hostname in LOOPBACK
    is_encrypted = not url.startswith("http:")
    if not is_encrypted and not is_local:
        get_logger().warning("github.unencrypted", host=urlsplit(url).hostname)
    access: Access = (TokenAccess(token) if app_key is None else
                      AppAccess(app_key, lambda path, jwt: client.ask_as_app(path, jwt), clock.now))
    timeout = httpx2.Timeout(SILENCE_SECONDS, connect=CONNECT_SECONDS)
    # Certificates take 0.1 s to load, and no redirect leads from http to https: links keep to the origin.
    with httpx2.Client(headers=headers, timeout=timeout, trust_env=not is_local, verify=is_encrypted) as http:
        client = GitHubClient(http, url, _graphql_url(url), clock, clock.monotonic() + budget_seconds, access)
        yield client


def _graphql_url(api_url: str) -> str:
    """Return the address of GraphQL; GitHub Enterprise Server has it beside its REST API."""
    return f"{api_url.removesuffix('/v3')}/graphql" if api_url.endswith("/api/v3") else f"{api_url}/graphql"


def _parse(answer: HttpAnswer, what: str) -> Any:
    try:
        return orjson.loads(answer.body)
    except orjson.JSONDecodeError as error:
        raise OverloadedError(f"could not read {what}: the answer is no whole JSON", is_heavy=False) from error


def _server_time(answer: HttpAnswer, clock: Clock) -> datetime:
    """Return GitHub's own time, which its `updatedAt` is measured by."""
    try:
        return parsedate_to_datetime(answer.headers["date"]).astimezone(UTC)
    except (KeyError, ValueError):
        return clock.now()
