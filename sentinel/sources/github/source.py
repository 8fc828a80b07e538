"""Pull requests from GitHub: all of them once, then what changed, each page with its cursor."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Literal

import orjson

from sentinel.errors import RecordError
from sentinel.logs import get_logger
from sentinel.pull_request import PullRequestRecord, parse_pull_request
from sentinel.sources.github.client import GitHubClient
from sentinel.sources.github.limits import OverloadedError, RefusedCursorError
from sentinel.sources.github.nodes import Nodes, read_nodes, updated_at, with_all_files
from sentinel.sources.github.progress import PageSize, ReadingState, begin_anew, read_state
from sentinel.sources.github.query import PULL_REQUESTS
from sentinel.sources.page import Cursor, Page, RejectedRecord, shown_raw

OVERLAP = timedelta(minutes=5)  # replicas lag, clocks differ, and a second holds several updates
TRIES_FOR_LOST = 2  # of a page of which GitHub could not tell single pull requests; then they are rejected
TRIES_OF_ONE = 3  # of a page of one, before it is asked for without its files
Order = Literal["CREATED_AT", "UPDATED_AT"]


class GitHubSource:
    """The pull requests of some repositories on GitHub."""

    def __init__(self, client: GitHubClient, repositories: Sequence[str], uri: str, *, with_files: bool,
                 since: datetime | None = None) -> None:
        """Read `repositories` one after the other; `with_files` asks for their changed files too.

        With `since`, read only what was updated then or later, whatever was read before: saved
        cursors are not asked for, and pages have none, so that the next reading without `since`
        goes on where the last one without it ended.
        """
        self.uri = uri
        self._client, self._repositories, self._with_files, self._since = client, repositories, with_files, since

    def pages(self, saved_cursor: Callable[[str], Cursor | None]) -> Iterator[Page]:
        """Yield pages; a repository that was renamed is read under the name that GitHub gives it.

        Raises NotFoundError, PermissionDeniedError, SettingsError, or UnavailableError when the
        budget is spent; the cursor of the last page then still holds.
        """
        done = 0
        for repository in self._repositories:
            done_before = done
            for page in self._pages_of(repository, saved_cursor):
                done += len(page.records) + len(page.rejected)
                yield replace(page, total=None if page.total is None else done_before + page.total)

    def _pages_of(self, repository: str, saved_cursor: Callable[[str], Cursor | None]) -> Iterator[Page]:
        try:
            if self._since is None:
                yield from _Walk(self._client, repository, saved_cursor(repository), self._with_files).pages()
            else:
                yield from _Walk(self._client, repository, None, self._with_files).pages_since(self._since)
        except _RenamedError as error:
            get_logger().warning("github.repository_renamed", old=repository, new=error.name)
            yield from self._pages_of(error.name, saved_cursor)


class _RenamedError(Exception):
    """GitHub calls the repository by another name."""

    def __init__(self, name: str) -> None:
        self.name = name


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
        was_under_way = self._state.after is not None
        if self._state.high_water is None:
            yield from self._first_walk()
            if not (was_under_way or self._is_stale):
                return
            was_under_way = False
        yield from self._changes()
        if was_under_way:
            yield from self._changes()

    def pages_since(self, since: datetime) -> Iterator[Page]:
        """Yield what was updated at `since` or later, the newest first, without cursors.

        What is updated during this walk may be missed by it, as by any walk over changes; the next one reads it.
        """
        self._state = replace(self._state, high_water=since + OVERLAP)  # the walk goes as far below it
        for page in self._changes():
            yield replace(page, cursor=None)

    @property
    def _is_stale(self) -> bool:
        """Tell whether the first walk took so long that much may have changed behind it."""
        high_water = self._state.high_water
        return high_water is not None and self._client.clock.now() - high_water > OVERLAP

    def _first_walk(self) -> Iterator[Page]:
        """Walk all by the time of opening, which never changes: new ones come behind the cursor."""
        is_done, is_resumed = False, self._state.after is not None
        while not is_done:
            answer = self._ask("CREATED_AT", "ASC")
            is_done = not answer.has_more
            started_at = self._state.started_at or answer.server_time
            self._state = replace(self._state, started_at=started_at, after=answer.end_cursor or self._state.after)
            if is_done:
                self._state = replace(self._state, high_water=started_at, after=None)
            yield self._page(answer, total=None if is_resumed else answer.total)  # it counts what was read before

    def _changes(self) -> Iterator[Page]:
        """Walk from the newest update down to the last high water and a little further.

        A walk that was cut off goes on downwards; what was updated since is above its `top`,
        and the next walk comes down to there.
        """
        assert self._state.high_water is not None
        lowest, is_done = self._state.high_water - OVERLAP, False
        while not is_done:
            answer = self._ask("UPDATED_AT", "DESC")
            updates = [updated_at(node) for node in answer.nodes]
            is_done = not answer.has_more or any(at is not None and at < lowest for at in updates)
            top = self._state.top or max(filter(None, updates), default=None)
            self._state = replace(self._state, top=top, after=answer.end_cursor)
            if is_done:
                high_water = max(self._state.high_water, top or self._state.high_water)
                self._state = replace(self._state, high_water=high_water, after=None, top=None)
            yield self._page(answer, lowest=lowest)

    def _page(self, answer: Nodes, total: int | None = None, lowest: datetime | None = None) -> Page:
        """Parse what one answer holds, without what was not updated since `lowest`."""
        records: list[PullRequestRecord] = []
        rejected: list[RejectedRecord] = []
        for place, node in enumerate(answer.nodes):
            at = updated_at(node)
            if lowest is not None and at is not None and at < lowest:
                continue
            try:
                if place in answer.problems:
                    raise RecordError(answer.problems[place])
                whole = with_all_files(self._client, node, self._repository) if self._with_files else node
                records.append(parse_pull_request(whole, repository=self._repository))
            except RecordError as error:
                where = f"#{node['number']}" if node else f" {place} before {answer.end_cursor}"
                rejected.append(RejectedRecord(f"{self._repository}{where}", str(error), shown_raw(orjson.dumps(node))))
        cursor = replace(self._state, page_size=self._size.size).to_cursor()
        return Page(self._repository, tuple(records), tuple(rejected), cursor, total)

    def _ask(self, order: Order, direction: Literal["ASC", "DESC"]) -> Nodes:
        """Ask for the next page, smaller and smaller while GitHub fails; begin anew when it refuses the cursor."""
        failures_of_one = failures = tries_for_lost = 0
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
                if not nodes.problems or tries_for_lost == TRIES_FOR_LOST:
                    return nodes
                tries_for_lost += 1

    def _ask_once(self, order: Order, direction: str, with_files: bool) -> Nodes:
        owner, name = self._repository.split("/")
        answer = self._client.query(PULL_REQUESTS, "PullRequests", {
            "owner": owner, "name": name, "first": self._size.size, "after": self._state.after, "field": order,
            "direction": direction, "withFiles": with_files,
        }, self._repository)
        if answer.data["repository"]["nameWithOwner"] != self._repository:
            raise _RenamedError(answer.data["repository"]["nameWithOwner"])
        return read_nodes(answer)
