"""Fetch pull requests from every source, page by page, into MongoDB."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import dataclass
from typing import Any

from data_fetch.changed_since import without_older
from data_fetch.counts import FetchCounts
from data_fetch.metrics import closing_counts
from data_fetch.readers import Ended, read_in_turn, read_one
from data_fetch.settings import DataFetchSettings
from data_fetch.stopping import StoppedError, Stopping
from sentinel.errors import SentinelError, SettingsError
from sentinel.logs import Progress, get_logger
from sentinel.mongo import PullRequestStore, open_pull_request_store
from sentinel.sources.kinds import open_source, repository_on_github
from sentinel.sources.page import Cursor, Page, Source


def fetch_all(settings: DataFetchSettings) -> dict[str, Any]:
    """Store the pull requests of all sources and return the facts of the run.

    One failing source does not stop the others; raises its error at the end. Raises
    DataUnusableError when more records were rejected than settings allow.
    """
    counts = FetchCounts()
    with closing_counts(counts, settings.pushgateway_url):
        with Stopping().listening() as stopping, open_pull_request_store(settings) as store:
            store.prepare()
            FetchRun(settings, store, stopping, counts).fetch(settings.all_sources)
        counts.check(settings.max_rejected_share)
    return counts.facts()


@dataclass(slots=True)
class SourceReading:
    """The reading of one source, and how far it came."""

    uri: str
    pages: Iterator[Page]
    cursors: "SavedCursors"
    read: int = 0
    total: int | None = None


class FetchRun:
    """One run over the sources, with what they share."""

    def __init__(self, settings: DataFetchSettings, store: PullRequestStore, stopping: Stopping,
                 counts: FetchCounts) -> None:
        """Begin with nothing read; `counts` is added to."""
        self._settings, self._store, self._stopping, self._counts = settings, store, stopping, counts
        self._progress = Progress("data_fetch", "pull_requests")
        self._readings: list[SourceReading] = []

    def fetch(self, uris: tuple[str, ...]) -> None:
        """Read what is on this machine, source by source, then the repositories on GitHub together.

        Raises MongoDB's errors; those of sources are counted.
        """
        on_github: list[str] = []
        for uri in uris:
            try:
                name = repository_on_github(uri)
            except SettingsError as error:
                self._fail(uri, error)
                continue
            if name is None:
                self._readings.append(self._reading(uri, lambda uri=uri: open_source(uri, self._settings)))
            else:
                on_github.append(name)
        for reading in list(self._readings):
            self._fetch_here(reading)
        if on_github:
            self._fetch_from_github(on_github)

    def _fetch_here(self, reading: SourceReading) -> None:
        with closing(reading.pages):
            outcome = read_one(reading.pages)
            while isinstance(outcome, Page):
                self._store_page(reading, outcome)
                outcome = read_one(reading.pages)
        self._end(reading, outcome)

    def _fetch_from_github(self, names: list[str]) -> None:
        """Read repositories over one connection, which knows what is left of the limits."""
        from sentinel.sources.github.connection import open_connection
        with ExitStack() as stack:
            try:
                github = stack.enter_context(open_connection(self._settings))
            except SentinelError as error:
                self._fail("github:", error)
                return
            try:
                self._fetch_together([
                    self._reading(f"github:{name}", lambda name=name: github.open_source(name, self._settings.since))
                    for name in self._each_repository(names, github.list_repositories)])
            finally:
                self._counts.requests, self._counts.points = github.counts.requests, github.counts.points

    def _fetch_together(self, readings: list[SourceReading]) -> None:
        self._readings += readings
        for reading, outcome in read_in_turn(readings, self._settings.github_readers):
            if isinstance(outcome, Page):
                self._store_page(reading, outcome)
            else:
                self._end(reading, outcome)

    def _each_repository(self, names: list[str], list_repositories: Callable[[str], list[str]]) -> list[str]:
        """Return each repository once; an account whose repositories cannot be listed is a failure of its own."""
        found: dict[str, None] = {}
        for name in names:
            owner, _, repository = name.partition("/")
            try:
                found |= dict.fromkeys(list_repositories(owner) if repository == "*" else [name])
            except StoppedError:
                raise
            except SentinelError as error:
                self._fail(f"github:{name}", error)
        return list(found)

    def _reading(self, uri: str, opening: Callable[[], AbstractContextManager[Source]]) -> SourceReading:
        cursors = SavedCursors(self._store, uri, self._settings.full or self._settings.since is not None)
        return SourceReading(uri, _pages(opening, cursors), cursors)

    def _store_page(self, reading: SourceReading, page: Page) -> None:
        """Store a page, then how far the source is read, in this order: a kill between them repeats the page.

        With a time that pages begin at, nothing is said of how far the source is read: older ones are not stored.
        """
        since = self._settings.since
        n_read = len(page.records) + len(page.rejected)
        page, n_skipped = (page, 0) if since is None else without_older(page, since)
        with self._stopping.put_off():
            self._counts.add(page, self._store.save_page(page), n_skipped)
            if since is None and page.cursor is not None:
                self._store.save_cursor(reading.uri, page.repository, page.cursor)
        reading.read += n_read
        reading.total = page.total
        self._progress.total = self._total()
        self._progress.advance(n_read)

    def _total(self) -> int | None:
        """Return how many all sources hold, where each has told."""
        totals = [reading.total for reading in self._readings]
        return None if None in totals else sum(filter(None, totals))

    def _end(self, reading: SourceReading, ended: Ended) -> None:
        reading.total = reading.read
        if isinstance(ended.error, StoppedError):
            raise ended.error
        if ended.error is not None:
            self._fail(reading.uri, ended.error)
        else:
            self._counts.sources += 1
            self._tell_read(reading)

    def _tell_read(self, reading: SourceReading) -> None:
        is_resumed = reading.cursors.is_resumed
        if reading.read or is_resumed or self._settings.since is not None:
            get_logger().info("data_fetch.source_read", source=reading.uri, read=reading.read, is_resumed=is_resumed)
        else:
            get_logger().warning("data_fetch.source_empty", source=reading.uri,
                                 text="no pull request found there; check that this is the source you meant")

    def _fail(self, uri: str, error: SentinelError) -> None:
        self._counts.sources += 1
        self._counts.failures.append(error)
        get_logger().error("data_fetch.source_failed", source=uri, error=type(error).__name__, text=str(error))


class SavedCursors:
    """How far earlier runs came, per repository; nothing where they are `ignored`."""

    def __init__(self, store: PullRequestStore, uri: str, ignored: bool) -> None:
        """Look up the cursors of `uri` when asked."""
        self.is_resumed = False
        self._store, self._uri, self._ignored = store, uri, ignored

    def __call__(self, repository: str) -> Cursor | None:
        """Return the cursor of `repository`, or None."""
        found = None if self._ignored else self._store.saved_cursor(self._uri, repository)
        self.is_resumed = self.is_resumed or found is not None
        return found


def _pages(opening: Callable[[], AbstractContextManager[Source]], cursors: SavedCursors) -> Iterator[Page]:
    with opening() as source:
        yield from source.pages(cursors)
