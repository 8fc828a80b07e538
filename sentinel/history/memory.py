"""What one repository's past left behind: fading counts, authors, recent changes; all bounded."""

from collections import deque
from dataclasses import dataclass, field

from sentinel.features.facts import Facts
from sentinel.history.counts import FadingCounts

PLACE_HALF_LIFE_DAYS = 365.0
AUTHOR_HALF_LIFE_DAYS = 180.0  # of experience; as in good-egg
MOST_AUTHORS = 65_536
MOST_RECENT = 256
MOST_PENDING = 1_024
MOST_KEYS_OF_ONE_CHANGE = 32
WORKING_HOURS = 24


@dataclass(slots=True)
class Author:
    """What is known of one author; times in seconds since 1970."""

    experience: float = 0.0  # landed changes, as stored by forward decay
    opened: int = 0
    last_at: float = 0.0
    mean_log_gap: float = 0.0
    gaps: int = 0
    hours: list[float] = field(default_factory=list)  # 24 faded counts, empty until the second change
    lately: list[float] = field(default_factory=list)  # times of the last 8 changes


@dataclass(frozen=True, slots=True)
class RecentChange:
    """What is remembered of one recent change, to see it undone or tried again."""

    at: float
    author: str
    touched: int  # hash of the paths
    shape: int  # hash of paths with their lines
    undone_shape: int  # the shape that undoes this one
    times_undone: int


@dataclass(frozen=True, slots=True)
class PlacesOfChange:
    """The keys that a change counts under once it landed."""

    at: float
    author: str
    level: str
    directories: tuple[str, ...]
    tops: tuple[str, ...]
    paths: tuple[str, ...]
    extensions: tuple[str, ...]
    new_places: tuple[str, ...]
    sensitive: tuple[str, ...]
    log_files: float
    title_shape: str


class Memory:
    """The counts of one repository."""

    def __init__(self) -> None:
        """Begin empty."""
        self.landed = FadingCounts(PLACE_HALF_LIFE_DAYS, 64)  # "all", and by level
        self.directories = FadingCounts(PLACE_HALF_LIFE_DAYS, 16_384)
        self.tops = FadingCounts(PLACE_HALF_LIFE_DAYS, 1_024)
        self.paths = FadingCounts(PLACE_HALF_LIFE_DAYS, 65_536)
        self.company = FadingCounts(PLACE_HALF_LIFE_DAYS, 65_536)  # path: ln(files) of the changes that touched it
        self.extensions = FadingCounts(PLACE_HALF_LIFE_DAYS, 1_024)
        self.pairs = FadingCounts(PLACE_HALF_LIFE_DAYS, 8_192)
        self.new_places = FadingCounts(PLACE_HALF_LIFE_DAYS, 16_384)
        self.by_author = FadingCounts(PLACE_HALF_LIFE_DAYS, 196_608)
        self.by_level = FadingCounts(PLACE_HALF_LIFE_DAYS, 32_768)
        self.titles = FadingCounts(PLACE_HALF_LIFE_DAYS, 16_384)
        self.moments = FadingCounts(PLACE_HALF_LIFE_DAYS, 256)
        self.authors: dict[str, Author] = {}
        self.look_alikes: dict[str, str] = {}
        self.recent: deque[RecentChange] = deque(maxlen=MOST_RECENT)
        self.pending: deque[PlacesOfChange] = deque()
        self.mean_log_gap = 0.0
        self.gaps = 0.0

    def counts(self) -> dict[str, FadingCounts]:
        """Return every fading count by its name in the file."""
        return {name: value for name, value in vars(self).items() if isinstance(value, FadingCounts)}


def level_of(experience: float, is_bot: bool) -> str:
    """Return the level of experience that an author is compared with."""
    if is_bot:
        return "bot"
    return "newcomer" if experience < 0.5 else "occasional" if experience < 10.0 else "regular"


def places_of(facts: Facts, level: str, log_files: float) -> PlacesOfChange:
    """Return the keys of one change, at most MOST_KEYS_OF_ONE_CHANGE of each."""
    most = MOST_KEYS_OF_ONE_CHANGE
    return PlacesOfChange(
        at=facts.at, author=facts.author, level=level, directories=tuple(sorted(facts.directories)[:most]),
        tops=tuple(sorted(facts.tops)[:most]), paths=tuple(file.path for file in facts.files[:4 * most]),
        extensions=tuple(sorted(facts.extensions)[:most]),
        new_places=tuple(sorted({path.directory for path in facts.added})[:most]),
        sensitive=tuple(sorted(facts.sensitive)), log_files=log_files, title_shape=facts.title_shape,
    )
