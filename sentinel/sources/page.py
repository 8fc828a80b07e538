"""What every source yields: pages of records, each with the cursor that covers it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from sentinel.pull_request import PullRequestRecord

Cursor = Mapping[str, Any]
MAX_RAW_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class RejectedRecord:
    """Something a source held that is no pull request, with the reason and where it stood."""

    place: str  # "prs.jsonl.gz:17", "octo/harbour#12"
    reason: str
    raw: str  # the beginning of what was read, at most 64 KiB
    key: str | None = None  # OWNER/NAME#N where that much could be read and is not the place


def shown_raw(content: bytes) -> str:
    """Return the beginning of something unreadable, as a store can keep it: at most 64 KiB of UTF-8."""
    text = content[:MAX_RAW_BYTES].decode(errors="replace")
    return text.encode()[:MAX_RAW_BYTES].decode(errors="ignore")


@dataclass(frozen=True, slots=True)
class Page:
    """Some pull requests of one repository, read together.

    `cursor` says how far the source is read once this page is stored; None where a source cannot be resumed.
    `total` is how many pull requests the source holds, where that is known, for progress only.
    """

    repository: str
    records: tuple[PullRequestRecord, ...]
    rejected: tuple[RejectedRecord, ...] = ()
    cursor: Cursor | None = None
    total: int | None = None


class Source(Protocol):
    """Something that pull requests are read from."""

    uri: str

    def pages(self, saved_cursor: Callable[[str], Cursor | None]) -> Iterator[Page]:
        """Yield pages; `saved_cursor(repository)` is the cursor saved by an earlier run, or None.

        Raises NotFoundError, PermissionDeniedError, CorruptFileError or UnavailableError.
        """
        ...
