"""What one run did, for its closing line and for the exit code."""

from dataclasses import dataclass, field
from typing import Any

from sentinel.errors import DataUnusableError, SentinelError
from sentinel.mongo import StoredCounts
from sentinel.sources.page import Page

LEAST_URGENT_FIRST = (75, 65, 2, 1)  # what repeating may mend comes last when several sources fail
MOST_TEXTS = 20


@dataclass(slots=True)
class FetchCounts:
    """What one run did so far."""

    sources: int = 0
    pages: int = 0
    read: int = 0
    skipped: int = 0  # not changed since the time that was asked for
    requests: int = 0
    points: int = 0
    stored: StoredCounts = StoredCounts()
    failures: list[SentinelError] = field(default_factory=list)

    def add(self, page: Page, stored: StoredCounts, skipped: int = 0) -> None:
        """Count one page as it was stored, and the records of it that were skipped."""
        self.pages += 1
        self.read += len(page.records) + len(page.rejected) + skipped
        self.skipped += skipped
        self.stored += stored

    def facts(self) -> dict[str, Any]:
        """Return the counts for the closing line."""
        stored = self.stored
        return {
            "sources": self.sources, "failed": len(self.failures), "requests": self.requests, "points": self.points,
            "pages": self.pages, "read": self.read, "new": stored.new, "changed": stored.changed,
            "unchanged": stored.unchanged, "skipped": self.skipped, "rejected": stored.rejected,
            "wrote_nothing": stored.new == stored.changed == 0,
        }

    def check(self, max_rejected_share: float) -> None:
        """Raise the most urgent failure of all sources, naming all; too many rejected records are one too."""
        failures, rejected = list(self.failures), self.stored.rejected
        if self.read and rejected / self.read > max_rejected_share:
            failures.append(DataUnusableError(
                f"{rejected} of {self.read} records could not be read, more than the allowed share of "
                f"{max_rejected_share:g}; the good ones are stored, the others are in rejected_pull_requests with "
                "their reasons. Mend the source, or set SENTINEL_MAX_REJECTED_SHARE higher"))
        if failures:
            worst = max(failures, key=lambda error: LEAST_URGENT_FIRST.index(error.exit_code))
            raise type(worst)(_all_texts(failures)) from worst


def _all_texts(failures: list[SentinelError]) -> str:
    """Return each text once, and of very many the first."""
    texts = list(dict.fromkeys(map(str, failures)))
    if len(texts) > MOST_TEXTS:
        texts[MOST_TEXTS:] = [f"and {len(texts) - MOST_TEXTS} more, each in its own line data_fetch.source_failed"]
    return "\n".join(texts)
