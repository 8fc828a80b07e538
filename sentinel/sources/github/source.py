"""Pull requests from GitHub: all of them once, then what changed, each page with its cursor."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import orjson

from sentinel.errors import NotFoundError, RecordError
from sentinel.logs import get_logger
from sentinel.pull_request import MAX_FILES, PullRequestRecord, parse_pull_request
from sentinel.sources.github.client import GitHubClient
from sentinel.sources.github.limits import OverloadedError, RefusedCursorError, node_of, shown
from sentinel.sources.github.progress import PageSize, ReadingState, begin_anew, read_state
from sentinel.sources.github.query import FILES, PULL_REQUESTS
from sentinel.sources.page import Cursor, Page, RejectedRecord, shown_raw

OVERLAP = timedelta(minutes=5)  # replicas lag, clocks differ, and a second holds several updates
TRIES_OF_ONE = 3  # of a page of one, before it is asked for without its files
FORGIVEN_FIELDS = frozenset({"headRepository", "author", "mergeCommit"})  # null is a legal value
Order = Literal["CREATED_AT", "UPDATED_AT"]


class GitHubSource:
    """The pull requests of some repositories on GitHub."""

    def __init__(self, client: GitHubClient, repositories: Sequence[str], uri: str, *, with_files: bool) -> None:
        """Read `repositories` one after the other; `with_files` asks for their changed files too."""
        self.uri = uri
        self._client, self._repositories, self._with_files = client, repositories, with_files

    def pages(self, saved_cursor: Callable[[str], Cursor | None]) -> Iterator[Page]:
        """Yield pages; a repository that was renamed is read under the name that GitHub gives it."""
        for repository in self._repositories:
            try:
                yield from _Walk(self._client, repository, saved_cursor(repository), self._with_files).pages()
            except _RenamedError as error:
                get_logger().warning("github.repository_renamed", old=repository, new=error.name)
                yield from _Walk(self._client, error.name, saved_cursor(error.name), self._with_files).pages()


class _RenamedError(Exception):
    def __init__(self, name: str) -> None:
        self.name = name


@dataclass(frozen=True, slots=True)
class _Nodes:
    """One answer: pull requests as GraphQL shows them, and what was wrong with single ones."""

    nodes: list[Any]
    problems: Mapping[int, str]
    end_cursor: str | None
    has_more: bool
    total: int
    server_time: datetime


class _Walk:
    """The reading of one repository."""

    def __init__(self, client: GitHubClient, repository: str, saved: Cursor | None, with_files: bool) -> None:
        self._client, self._repository, self._with_files = client, repository, with_files
        state = read_state(saved)
        if state is None:
            get_logger().warning("github.cursor_unreadable", repository=repository)
        self._state = state or ReadingState()
        self._size = PageSize(self._state.page_size)

    def pages(self) -> Iterator[Page]:
        """Yield what is not read yet: the first walk, then what changed."""
        if self._state.high_water is None:
            yield from self._first_walk()
            if not self._is_stale:
                return
        was_under_way = self._state.after is not None
        yield from self._changes()
        if was_under_way:
            yield from self._changes()

    @property
    def _is_stale(self) -> bool:
        """Tell whether the first walk took so long that much may have changed behind it."""
        high_water = self._state.high_water
        return high_water is not None and self._client.clock.now() - high_water > OVERLAP

    def _first_walk(self) -> Iterator[Page]:
        """Walk all by the time of opening, which never changes: new ones come behind the cursor."""
        is_done = False
        while not is_done:
            answer = self._ask("CREATED_AT", "ASC")
            is_done = not answer.has_more
            started_at = self._state.started_at or answer.server_time
            self._state = replace(self._state, started_at=started_at, after=answer.end_cursor or self._state.after)
            if is_done:
                self._state = replace(self._state, high_water=started_at, after=None)
            yield self._page(answer, answer.nodes, answer.total)

    def _changes(self) -> Iterator[Page]:
        """Walk from the newest update down to the last high water and a little further."""
        assert self._state.high_water is not None
        lowest, is_done = self._state.high_water - OVERLAP, False
        while not is_done:
            answer = self._ask("UPDATED_AT", "DESC")
            recent = [node for node in answer.nodes if _updated_at(node) is None or _updated_at(node) >= lowest]
            is_done = len(recent) < len(answer.nodes) or not answer.has_more
            top = self._state.top or max(filter(None, map(_updated_at, answer.nodes)), default=None)
            self._state = replace(self._state, top=top, after=answer.end_cursor)
            if is_done:
                high_water = max(self._state.high_water, top or self._state.high_water)
                self._state = replace(self._state, high_water=high_water, after=None, top=None)
            yield self._page(answer, recent, None)

    def _page(self, answer: _Nodes, nodes: list[Any], total: int | None) -> Page:
        records: list[PullRequestRecord] = []
        rejected: list[RejectedRecord] = []
        for place, node in enumerate(nodes):
            number = node.get("number") if isinstance(node, dict) else None
            try:
                if place in answer.problems or number is None:
                    raise RecordError(answer.problems.get(place, "GitHub gave null for it"))
                records.append(parse_pull_request(self._completed(node), repository=self._repository))
            except RecordError as error:
                where = f"{self._repository}#{number}" if number else f"{self._repository} before {answer.end_cursor}"
                rejected.append(RejectedRecord(where, str(error), shown_raw(orjson.dumps(node))))
        cursor = replace(self._state, page_size=self._size.size).to_cursor()
        return Page(self._repository, tuple(records), tuple(rejected), cursor, total)

    def _ask(self, order: Order, direction: Literal["ASC", "DESC"]) -> _Nodes:
        """Ask for the next page, smaller and smaller while GitHub fails; begin anew when it refuses the cursor."""
        failures_of_one = failures = 0
        while True:
            with_files = self._with_files and failures_of_one < TRIES_OF_ONE
            began = self._client.clock.monotonic()
            try:
                nodes = self._ask_once(order, direction, with_files)
            except OverloadedError as error:
                failures += 1
                failures_of_one += self._size.size == 1 and error.is_heavy
                if error.is_heavy:
                    self._size.shrink()
                    get_logger().warning("github.page_shrunk", repository=self._repository, page_size=self._size.size)
                self._client.back_off(failures, error)
            except RefusedCursorError:
                if self._state.after is None:
                    raise
                get_logger().warning("github.cursor_refused", repository=self._repository)
                self._state = begin_anew(self._state)
            else:
                self._size.tell(self._client.clock.monotonic() - began)
                return nodes

    def _ask_once(self, order: Order, direction: str, with_files: bool) -> _Nodes:
        owner, name = self._repository.split("/")
        answer = self._client.query(PULL_REQUESTS, "PullRequests", {
            "owner": owner, "name": name, "first": self._size.size, "after": self._state.after, "field": order,
            "direction": direction, "withFiles": with_files,
        }, self._repository)
        repository = answer.data["repository"]
        if repository["nameWithOwner"] != self._repository:
            raise _RenamedError(repository["nameWithOwner"])
        found = repository["pullRequests"]
        problems = {}
        for error in answer.errors:
            if error["path"][4:5] and error["path"][4] not in FORGIVEN_FIELDS:
                problems[node_of(error) or 0] = f"GitHub could not tell all of it: {shown(str(error.get('message')))}"
        return _Nodes(found["nodes"], problems, found["pageInfo"]["endCursor"], found["pageInfo"]["hasNextPage"],
                      found["totalCount"], answer.server_time)

    def _completed(self, node: Mapping[str, Any]) -> dict[str, Any]:
        """Return a node with all its files, and with what REST and GraphQL write differently as REST does."""
        completed = dict(node, body=node.get("body") or None)
        author = node.get("author")
        if isinstance(author, dict) and author.get("__typename") == "Bot":
            completed["author"] = author | {"login": f"{str(author.get('login')).removesuffix('[bot]')}[bot]"}
        if not self._with_files:
            return completed
        files = node.get("files")
        if not isinstance(files, dict):
            completed["files"] = self._files_by_rest(node["number"])
        elif files["pageInfo"]["hasNextPage"]:
            more = self._more_files(node["number"], files["pageInfo"]["endCursor"])
            completed["files"] = {"nodes": [*files["nodes"], *more]}
        return completed

    def _more_files(self, number: int, after: str) -> list[Any]:
        """Return the files behind the first 100, up to as many as REST would give."""
        owner, name = self._repository.split("/")
        nodes: list[Any] = []
        failures, has_more = 0, True
        while has_more and len(nodes) < MAX_FILES:
            try:
                answer = self._client.query(
                    FILES, "Files", {"owner": owner, "name": name, "number": number, "after": after},
                    f"the files of {self._repository}#{number}")
            except OverloadedError as error:
                failures += 1
                self._client.back_off(failures, error)
                continue
            files = answer.data["repository"]["pullRequest"]["files"]
            nodes += files["nodes"]
            after, has_more = files["pageInfo"]["endCursor"], files["pageInfo"]["hasNextPage"]
        return nodes

    def _files_by_rest(self, number: int) -> dict[str, Any] | None:
        """Return the files that GraphQL could not give; None where REST cannot either."""
        what = f"the files of {self._repository}#{number}"
        try:
            items = list(self._client.get_list(f"/repos/{self._repository}/pulls/{number}/files?per_page=100", what))
        except (OverloadedError, NotFoundError) as error:
            get_logger().warning("github.files_unknown", pull_request=f"{self._repository}#{number}", text=str(error))
            return None
        return {"nodes": [_to_graphql_file(item) for item in items]}


def _updated_at(node: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(node["updatedAt"]).astimezone(UTC)
    except (TypeError, KeyError, ValueError):
        return None


def _to_graphql_file(item: Mapping[str, Any]) -> dict[str, Any]:
    status = str(item.get("status"))
    return {"path": item.get("filename"), "additions": item.get("additions"), "deletions": item.get("deletions"),
            "changeType": {"removed": "DELETED"}.get(status, status.upper())}
