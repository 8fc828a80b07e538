"""How far a repository is read, and how much is asked at once."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sentinel.sources.page import Cursor

VERSION = 1
LARGEST_PAGE = 100  # GitHub's limit
QUICK_SECONDS = 3.0  # a page that took less may be larger
QUICK_PAGES_FIRST, QUICK_PAGES_MOST = 3, 96


@dataclass(frozen=True, slots=True)
class ReadingState:
    """Where the reading stands; saved with each page.

    First all pull requests are walked by the time of opening, then, run after run, those
    updated since `high_water`, the newest first. `after` is GitHub's cursor in the walk under
    way; `top` is the newest update that this walk saw, the next `high_water`.
    """

    page_size: int = LARGEST_PAGE
    started_at: datetime | None = None  # when the first walk began, by GitHub's clock
    high_water: datetime | None = None  # None: the first walk is not at its end
    after: str | None = None
    top: datetime | None = None

    def to_cursor(self) -> Cursor:
        """Write the state as the cursor of a page."""
        times = {"started_at": self.started_at, "high_water": self.high_water, "top": self.top}
        return {"version": VERSION, "page_size": self.page_size, "after": self.after} | {
            name: None if time is None else time.isoformat() for name, time in times.items()}


def read_state(cursor: Cursor | None) -> ReadingState | None:
    """Read a saved cursor; None for one that this version cannot read, so that all is walked again."""
    if cursor is None:
        return ReadingState()
    try:
        if cursor["version"] != VERSION:
            return None
        size, after = cursor["page_size"], cursor["after"]
        if not isinstance(size, int) or not isinstance(after, str | None):
            return None
        return ReadingState(min(max(size, 1), LARGEST_PAGE), _time(cursor["started_at"]), _time(cursor["high_water"]),
                            after, _time(cursor["top"]))
    except (KeyError, TypeError, ValueError):
        return None


def begin_anew(state: ReadingState) -> ReadingState:
    """Forget the walk under way, not what earlier walks finished."""
    return replace(state, after=None, top=None, started_at=None if state.high_water is None else state.started_at)


@dataclass(slots=True)
class PageSize:
    """How many pull requests to ask for at once: halved when GitHub fails, doubled after quick pages."""

    size: int
    _needed: int = QUICK_PAGES_FIRST
    _quick: int = 0

    def shrink(self) -> None:
        """Ask for half; after each failure more quick pages are wanted before it grows."""
        self.size, self._quick = max(1, self.size // 2), 0
        self._needed = min(self._needed * 2, QUICK_PAGES_MOST)

    def tell(self, seconds: float) -> None:
        """Note how long a page took."""
        self._quick = self._quick + 1 if seconds < QUICK_SECONDS else 0
        if self._quick >= self._needed and self.size < LARGEST_PAGE:
            self.size, self._quick = min(LARGEST_PAGE, self.size * 2), 0


def _time(value: Any) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value).astimezone(UTC)
