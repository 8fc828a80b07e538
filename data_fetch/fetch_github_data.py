"""Fetch pull requests from every source, page by page, into MongoDB."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from data_fetch.settings import DataFetchSettings
from data_fetch.stopping import StoppedError, Stopping
from sentinel.errors import DataUnusableError, SentinelError
from sentinel.logs import Progress, get_logger
from sentinel.mongo import PullRequestStore, StoredCounts, open_pull_request_store
from sentinel.sources import open_source
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
    stopping, counts = Stopping(), FetchCounts()
    progress = Progress("data_fetch", "pull_requests")
    with open_pull_request_store(settings) as store:
        store.prepare()
        for uri in settings.sources:
            fetch_source(uri, settings, store, stopping, counts, progress)
    facts = {"sources": len(settings.sources), **counts.facts()}
    get_logger().info("data_fetch.counted", **facts)
    _check_rejected_share(counts, settings.max_rejected_share)
    _raise_worst(counts.failures)
    return facts


def fetch_source(uri: str, settings: DataFetchSettings, store: PullRequestStore, stopping: Stopping,
                 counts: FetchCounts, progress: Progress) -> None:
    """Store what is new in one source; its failure is counted, MongoDB's is raised."""
    before = counts.read
    for page in _pages_until_failure(uri, settings, _cursors(store, uri, settings.full), counts):
        with stopping.put_off():
            counts.add(page, store.save_page(page))
            if page.cursor is not None:
                store.save_cursor(uri, page.repository, page.cursor)
        progress.total = None if page.total is None else before + page.total
        progress.advance(len(page.records))
    event = get_logger().info if counts.read > before else get_logger().warning
    event("data_fetch.source_read", source=uri, read=counts.read - before)


def _pages_until_failure(uri: str, settings: DataFetchSettings, saved_cursor: Callable[[str], Cursor | None],
                         counts: FetchCounts) -> Iterator[Page]:
    try:
        with open_source(uri, settings) as source:
            yield from source.pages(saved_cursor)
    except StoppedError:
        raise
    except SentinelError as error:
        counts.failures.append((uri, error))
        get_logger().error("data_fetch.source_failed", source=uri, error=type(error).__name__, text=str(error))


def _cursors(store: PullRequestStore, uri: str, full: bool) -> Callable[[str], Cursor | None]:
    return lambda repository: None if full else store.saved_cursor(uri, repository)


def _check_rejected_share(counts: FetchCounts, max_share: float) -> None:
    rejected = counts.stored.rejected
    if counts.read and rejected / counts.read > max_share:
        raise DataUnusableError(
            f"{rejected} of {counts.read} records could not be read, more than the allowed share of {max_share:g}; "
            "the good ones are stored, the others are in rejected_pull_requests with their reasons. Mend the source, "
            "or set SENTINEL_MAX_REJECTED_SHARE higher")


def _raise_worst(failures: list[tuple[str, SentinelError]]) -> None:
    if failures:
        worst = max((error for _, error in failures), key=lambda error: LEAST_URGENT_FIRST.index(error.exit_code))
        text = "\n".join(f"{uri}: {error}" for uri, error in failures)
        raise type(worst)(text) from worst
