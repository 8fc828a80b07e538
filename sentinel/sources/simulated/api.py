"""The simulated GitHub behind its HTTP: repositories, and the answers to the requests that we use."""

import hmac
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import orjson

from sentinel.sources.simulated.answers import (
    MAX_PAGE, decode_cursor, encode_cursor, graphql_error, to_files_page, to_node, to_rest_file, to_rest_pull_request,
)
from sentinel.sources.simulated.app import SimulatedApp
from sentinel.sources.simulated.faults import FaultPlan
from sentinel.sources.simulated.history import SimulatedRepository

REST_FILES_LIMIT = 3_000


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, headers and a body."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


BAD_GATEWAY = Answer(502, b"<html><title>502 Bad Gateway</title></html>", {"Content-Type": "text/html"})


class SimulatedGitHub:
    """Repositories by name, and who may ask for them."""

    def __init__(self, repositories: list[SimulatedRepository], token: str, plan: FaultPlan = FaultPlan()) -> None:
        """Serve `repositories` to those who hold `token`."""
        self.repositories = {repository.name: repository for repository in repositories}
        self.token, self.plan = token, plan
        self.app: SimulatedApp | None = None
        self.renamed: dict[str, str] = {}  # new names by old ones
        self.hidden: set[str] = set()  # repositories that the token may not see
        self.requests: Counter[str] = Counter()  # by operation or kind of path
        self.n_requests = 0
        self.points_used = 0
        self.points_reset_at = int(time.time()) + plan.reset_seconds
        self._lock = threading.Lock()

    def rename(self, old: str, new: str) -> None:
        """Rename a repository; its old name leads to the new one, as on GitHub."""
        repository = self.repositories.pop(old)
        repository.name = new
        self.repositories[new] = repository
        self.renamed[old] = new

    def lets_in(self, token: str) -> bool:
        """Tell whether a token is one of ours."""
        is_known = hmac.compare_digest(token.encode(), self.token.encode())
        return is_known or self.app is not None and self.app.knows(token)

    def begin_request(self) -> int:
        """Count a request and return its number, from 1."""
        with self._lock:
            self.n_requests += 1
            return self.n_requests

    def answer(self, method: str, target: str, body: bytes, origin: str) -> Answer:
        """Answer a request of somebody who may ask; `origin` begins the links."""
        url = urlsplit(target)
        if method == "POST" and url.path == "/graphql":
            return self.answer_graphql(body)
        if method != "GET":
            return to_answer({"message": "Not Found", "status": "404"}, 404)
        return self._rest(url.path, {name: values[-1] for name, values in parse_qs(url.query).items()}, origin)

    def rate_headers(self) -> dict[str, str]:
        """Return the headers that tell how many points are left."""
        limit = self.plan.points or 5_000
        return {
            "X-RateLimit-Limit": str(limit), "X-RateLimit-Remaining": str(max(0, limit - self.points_used)),
            "X-RateLimit-Used": str(self.points_used), "X-RateLimit-Reset": str(self.points_reset_at),
            "X-RateLimit-Resource": "graphql",
        }

    def answer_graphql(self, body: bytes) -> Answer:
        """Answer one of our own operations, recognised by its name; strict about all else."""
        try:
            request = orjson.loads(body)
            operation, variables = request.get("operationName"), request["variables"]
            asked = request["query"]
        except (orjson.JSONDecodeError, KeyError, AttributeError):
            return to_answer({"message": "Problems parsing JSON", "status": "400"}, 400)
        known = {"PullRequests": self._pull_requests, "Files": self._files}
        if operation not in known or f"query {operation}(" not in asked:
            return _errors(graphql_error(None, f"No operation named {str(operation)[:60]!r}"))
        if not self._take_point():
            return _errors(graphql_error("RATE_LIMITED", "API rate limit exceeded for user ID 1."))
        with self._lock:
            self.requests[operation] += 1
        return known[operation](variables)

    def _take_point(self) -> bool:
        with self._lock:
            now = time.time()
            if now >= self.points_reset_at:
                self.points_used, self.points_reset_at = 0, int(now) + self.plan.reset_seconds
            if self.plan.points is not None and self.points_used >= self.plan.points:
                return False
            self.points_used += 1
            return True

    def _find_repository(self, variables: Mapping[str, Any]) -> SimulatedRepository | None:
        name = f"{variables.get('owner')}/{variables.get('name')}"
        name = self.renamed.get(name, name).lower()
        found = next((one for known, one in self.repositories.items() if known.lower() == name), None)
        return None if found is None or found.name in self.hidden else found

    def _pull_requests(self, variables: Mapping[str, Any]) -> Answer:
        repository = self._find_repository(variables)
        if repository is None:
            return _repository_not_found(variables)
        count, order, direction = variables.get("first"), variables.get("field"), variables.get("direction")
        problem = _page_problem(count) or _order_problem(order, direction)
        if problem:
            return _errors(problem)
        with_files = bool(variables.get("withFiles"))
        limits = (self.plan.heaviest_page, self.plan.heaviest_page_with_files if with_files else None)
        if any(limit is not None and count > limit for limit in limits):
            return BAD_GATEWAY
        try:
            after = variables.get("after")
            key = None if after is None else decode_cursor(after)
        except ValueError:
            return refused_cursor(variables.get("after"))
        records, has_more = repository.page(order, direction == "DESC", key, count)
        end = encode_cursor(*repository.key(order, records[-1])) if records else None
        return to_answer({"data": {"rateLimit": self._rate_limit(), "repository": {
            "nameWithOwner": repository.name,
            "pullRequests": {
                "totalCount": len(repository), "pageInfo": {"hasNextPage": has_more, "endCursor": end},
                "nodes": [to_node(record, with_files) for record in records],
            },
        }}})

    def _files(self, variables: Mapping[str, Any]) -> Answer:
        repository = self._find_repository(variables)
        if repository is None:
            return _repository_not_found(variables)
        record = repository.find(variables["number"])
        if record is None:
            return _errors(graphql_error(
                "NOT_FOUND", f"Could not resolve to a PullRequest with the number of {variables['number']}.",
                ["repository", "pullRequest"]))
        start = 0 if variables.get("after") is None else decode_cursor(variables["after"])[0]
        files = to_files_page(record.pull_request.files or (), start, MAX_PAGE)
        return to_answer({"data": {"rateLimit": self._rate_limit(), "repository": {
            "nameWithOwner": repository.name, "pullRequest": {"files": files}}}})

    def _rate_limit(self) -> dict[str, Any]:
        limit = self.plan.points or 5_000
        reset = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.points_reset_at))
        return {"cost": 1, "remaining": max(0, limit - self.points_used), "resetAt": reset}

    def _rest(self, path: str, query: Mapping[str, str], origin: str) -> Answer:
        parts = path.strip("/").split("/")
        if parts[:1] in (["orgs"], ["users"]) and parts[2:] == ["repos"]:
            return self._repositories_of(parts[1], query, origin + path)
        if len(parts) < 3 or parts[0] != "repos":
            return to_answer({"message": "Not Found", "status": "404"}, 404)
        old = f"{parts[1]}/{parts[2]}"
        if old in self.renamed:
            location = "/".join([origin, "repos", self.renamed[old], *parts[3:]]) + f"?{urlencode(query)}"
            return to_answer({"message": "Moved Permanently", "url": location}, 301, {"Location": location})
        repository = self._find_repository({"owner": parts[1], "name": parts[2]})
        if repository is None:
            return to_answer({"message": "Not Found", "status": "404"}, 404)
        return self._rest_of(repository, parts[3:], query, origin)

    def _repositories_of(self, owner: str, query: Mapping[str, str], url: str) -> Answer:
        names = sorted(name for name in self.repositories if name.startswith(f"{owner}/") and name not in self.hidden)
        if not names:
            return to_answer({"message": "Not Found", "status": "404"}, 404)
        found = [{"full_name": name, "has_pull_requests": True} for name in _page_of(names, query)]
        return _linked(found, len(names), query, url)

    def _rest_of(self, repository: SimulatedRepository, parts: list[str], query: Mapping[str, str],
                 origin: str) -> Answer:
        url = "/".join([origin, "repos", repository.name, *parts])
        with self._lock:
            self.requests["REST " + "/".join("N" if part.isdigit() else part for part in parts)] += 1
        if not parts:
            return to_answer({"full_name": repository.name, "url": url, "has_pull_requests": True})
        record = repository.find(int(parts[1])) if len(parts) > 1 and parts[1].isdigit() else None
        if parts == ["pulls"]:
            return _rest_list(repository, query, origin)
        if parts[0] != "pulls" or record is None or parts[2:] not in ([], ["files"]):
            return to_answer({"message": "Not Found", "status": "404"}, 404)
        if parts[2:] == []:
            return to_answer(to_rest_pull_request(record, origin, is_whole=True))
        files = (record.pull_request.files or ())[:REST_FILES_LIMIT]
        return _linked([to_rest_file(file) for file in _page_of(list(files), query)], len(files), query, url)


def to_answer(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """Return JSON as an answer."""
    shown = {"Content-Type": "application/json; charset=utf-8"} | dict(headers or {})
    return Answer(status, orjson.dumps(content), shown)


def refused_cursor(cursor: Any) -> Answer:
    """Return GitHub's answer to a cursor that it does not take."""
    return _errors(graphql_error("INVALID_CURSOR_ARGUMENTS", f"`{cursor}` does not appear to be a valid cursor.",
                                 ["repository", "pullRequests"]))


def _errors(*errors: Mapping[str, Any]) -> Answer:
    return to_answer({"data": None, "errors": list(errors)})


def _repository_not_found(variables: Mapping[str, Any]) -> Answer:
    name = f"{variables.get('owner')}/{variables.get('name')}"
    return to_answer({"data": {"repository": None}, "errors": [
        graphql_error("NOT_FOUND", f"Could not resolve to a Repository with the name '{name}'.", ["repository"])]})


def _page_problem(count: Any) -> dict[str, Any] | None:
    if isinstance(count, int) and 1 <= count <= MAX_PAGE:
        return None
    return graphql_error("EXCESSIVE_PAGINATION", f"Requesting {count} records on the `pullRequests` connection exceeds "
                         f"the `first` limit of {MAX_PAGE} records.", ["repository", "pullRequests"])


def _order_problem(order: Any, direction: Any) -> dict[str, Any] | None:
    if order in ("CREATED_AT", "UPDATED_AT") and direction in ("ASC", "DESC"):
        return None
    return graphql_error(None, "Variable $field of type IssueOrderField! was provided invalid value")


def _rest_list(repository: SimulatedRepository, query: Mapping[str, str], origin: str) -> Answer:
    """Return a page of the list, the newest first as by default."""
    numbers = repository.numbers(query.get("state", "open"))
    if query.get("direction", "desc") == "desc":
        numbers.reverse()
    found = (repository.find(number) for number in _page_of(numbers, query))
    shown = [to_rest_pull_request(record, origin, is_whole=False) for record in found if record is not None]
    return _linked(shown, len(numbers), query, f"{origin}/repos/{repository.name}/pulls")


def _page_of(items: list[Any], query: Mapping[str, str]) -> list[Any]:
    count, page = _count_and_page(query)
    return items[(page - 1) * count:page * count]


def _count_and_page(query: Mapping[str, str]) -> tuple[int, int]:
    return min(int(query.get("per_page", 30)), MAX_PAGE), int(query.get("page", 1))


def _linked(page_items: list[Any], total: int, query: Mapping[str, str], url: str) -> Answer:
    """Answer a page of a list, with the link to the next."""
    count, page = _count_and_page(query)
    others = "".join(f"&{name}={value}" for name, value in query.items() if name not in ("page", "per_page"))
    link = f'<{url}?per_page={count}&page={page + 1}{others}>; rel="next"'
    return to_answer(page_items, 200, {"Link": link} if page * count < total else {})
