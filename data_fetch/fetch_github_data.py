"""Fetch pull requests from every source, page by page, into MongoDB."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from data_fetch.settings import DataFetchSettings
from data_fetch.stopping import StoppedError, Stopping
from sentinel.errors import DataUnusableError, SentinelError
from sentinel.logs import Progress, get_logger
from sentinel.mongo import PullRequestStore, StoredCounts, open_pull_request_store
from sentinel.sources.kinds import open_source
from sentinel.sources.page import Cursor, Page

LEAST_URGENT_FIRST = (75, 65, 2, 1)  # what repeating may mend comes last when several sources fail


@dataclass(slots=True)
class FetchCounts:
    """What one run did."""

    pages: int = 0
    read: int = 0
    stored: StoredCounts = StoredCounts()
    failures: list[tuple[str, SentinelError]] = field(default_factory=list)

    def add(self, page: Page, stored: StoredCounts) -> None:
        """Count one page."""
        self.pages += 1
        self.read += len(page.records) + len(page.rejected)
        self.stored += stored

    def facts(self) -> dict[str, Any]:
        """Return the counts for the closing line."""
        stored = self.stored
        return {
            "pages": self.pages, "read": self.read, "new": stored.new, "changed": stored.changed,
            "unchanged": stored.unchanged, "rejected": stored.rejected,
            "wrote_nothing": stored.new == stored.changed == 0,
        }


def fetch_all(settings: DataFetchSettings) -> dict[str, Any]:
    """Store the pull requests of all sources and return the facts of the run.

    One failing source does not stop the others; raises its error at the end. Raises
    DataUnusableError when more records were rejected than settings allow.
    """
    counts = FetchCounts()
    with Stopping().listening() as stopping, open_pull_request_store(settings) as store:
        store.prepare()
        run = FetchRun(settings, store, stopping, counts)
        for uri in settings.sources:
            run.fetch_source(uri)
    facts = {"sources": len(settings.sources), **counts.facts()}
    get_logger().info("data_fetch.counted", **facts)
    _raise_worst([*(error for _, error in counts.failures), *_rejected_too_many(counts, settings.max_rejected_share)])
    return facts


class FetchRun:
    """One run over the sources, with what they share."""

    def __init__(self, settings: DataFetchSettings, store: PullRequestStore, stopping: Stopping,
                 counts: FetchCounts) -> None:
        """Begin with nothing read; `counts` is added to."""
        self._settings, self._store, self._stopping, self._counts = settings, store, stopping, counts
        self._progress = Progress("data_fetch", "pull_requests")

    def fetch_source(self, uri: str) -> None:
        """Store what is new in one source; its failure is counted, MongoDB's is raised."""
        counts, before = self._counts, self._counts.read
        cursors = SavedCursors(self._store, uri, self._settings.full)
        try:
            with closing(self._pages(uri, cursors)) as pages:
                for page in pages:
                    self._progress.total = None if page.total is None else before + page.total
                    self._store_page(uri, page)
        except SourceFailure as failure:
            counts.failures.append((uri, failure.error))
            get_logger().error("data_fetch.source_failed", source=uri, error=type(failure.error).__name__,
                               text=str(failure.error))
        else:
            _tell_read(uri, counts.read - before, cursors.is_resumed)

    def _pages(self, uri: str, cursors: "SavedCursors") -> Iterator[Page]:
        try:
            with open_source(uri, self._settings) as source:
                yield from source.pages(cursors)
        except StoppedError:
            raise
        except SentinelError as error:
            raise SourceFailure(error) from error

    def _store_page(self, uri: str, page: Page) -> None:
        """Store a page, then how far the source is read, in this order: a kill between them repeats the page."""
        with self._stopping.put_off():
            self._counts.add(page, self._store.save_page(page))
            if page.cursor is not None:
                self._store.save_cursor(uri, page.repository, page.cursor)
        self._progress.advance(len(page.records))


class SourceFailure(Exception):
    """Carries the error of a source past MongoDB's, which is no source's fault."""

    def __init__(self, error: SentinelError) -> None:
        """Keep the error."""
        super().__init__(str(error))
        self.error = error


class SavedCursors:
    """How far earlier runs came, per repository; nothing where everything is to be read again."""

    def __init__(self, store: PullRequestStore, uri: str, full: bool) -> None:
        """Look up the cursors of `uri` when asked."""
        self.is_resumed = False
        self._store, self._uri, self._full = store, uri, full

    def __call__(self, repository: str) -> Cursor | None:
        """Return the cursor of `repository`, or None."""
        found = None if self._full else self._store.saved_cursor(self._uri, repository)
        self.is_resumed = self.is_resumed or found is not None
        return found


def _tell_read(uri: str, read: int, is_resumed: bool) -> None:
    if read or is_resumed:
        get_logger().info("data_fetch.source_read", source=uri, read=read, is_resumed=is_resumed)
    else:
        get_logger().warning("data_fetch.source_empty", source=uri,
                             text="no pull request found there; check that this is the source you meant")


def _rejected_too_many(counts: FetchCounts, max_share: float) -> Iterator[SentinelError]:
    rejected = counts.stored.rejected
    if counts.read and rejected / counts.read > max_share:
        yield DataUnusableError(
            f"{rejected} of {counts.read} records could not be read, more than the allowed share of {max_share:g}; "
            "the good ones are stored, the others are in rejected_pull_requests with their reasons. Mend the source, "
            "or set SENTINEL_MAX_REJECTED_SHARE higher")


def _raise_worst(errors: list[SentinelError]) -> None:
    if errors:
        worst = max(errors, key=lambda error: LEAST_URGENT_FIRST.index(error.exit_code))
        raise type(worst)("\n".join(map(str, errors))) from worst
