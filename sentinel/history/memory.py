"""What one repository's past left behind: fading counts, authors, recent changes; all bounded."""

from collections import deque
from dataclasses import dataclass, field

from sentinel.features.facts import Facts
from sentinel.history.counts import FadingCounts

PLACE_HALF_LIFE_DAYS = 365.0
AUTHOR_HALF_LIFE_DAYS = 180.0  # of experience; as in good-egg
MOST_AUTHORS = 65_536
MOST_RECENT = 512
MOST_PENDING = 1_024
MOST_OF_ONE_CHANGE = 32  # directories and types of one change that are counted; of paths four times as many
FORK, NO_FORK = "f1", "f0"
MOST_NAME_CHARACTERS = 256  # of a counted name; what is longer is cut


@dataclass(slots=True)
class Author:
    """What is known of one author; times in seconds since 1970, gaps and sizes on the logarithmic scale."""

    experience: float = 0.0  # landed changes, as stored by forward decay
    opened: int = 0
    last_at: float = 0.0
    mean_log_gap: float = 0.0
    mean_log_churn: float = 0.0
    hours: list[float] = field(default_factory=list)  # 24 faded counts
    weekdays: list[float] = field(default_factory=list)  # 7 faded counts
    lately: list[float] = field(default_factory=list)  # times of the last 8 changes


@dataclass(slots=True)  # not frozen, like the next: that is dearer to make
class RecentChange:
    """What is remembered of one recent change, to see it undone or tried again; the numbers are hashes."""

    at: float
    tried_again: int
    undone_shape: int
    times_undone: int


@dataclass(slots=True)
class Places:
    """What a change counts under once it landed."""

    at: float
    author: str
    level: str
    directories: tuple[str, ...]
    paths: tuple[str, ...]
    file_types: tuple[str, ...]
    added_to: tuple[str, ...]
    traits: tuple[str, ...]  # what `traits_of` says
    names: tuple[str, ...]  # hosts, dependencies and their sources, each with a prefix
    log_files: float


class Memory:
    """The counts of one repository."""

    def __init__(self) -> None:
        """Begin empty."""
        self.landed = FadingCounts(PLACE_HALF_LIFE_DAYS, 64)  # "all", and by level
        self.directories = FadingCounts(PLACE_HALF_LIFE_DAYS, 16_384)
        self.paths = FadingCounts(PLACE_HALF_LIFE_DAYS, 65_536)
        self.company = FadingCounts(PLACE_HALF_LIFE_DAYS, 65_536)  # path: ln(files) of the changes that touched it
        self.file_types = FadingCounts(PLACE_HALF_LIFE_DAYS, 1_024)
        self.pairs = FadingCounts(PLACE_HALF_LIFE_DAYS, 8_192)
        self.added_to = FadingCounts(PLACE_HALF_LIFE_DAYS, 16_384)
        self.traits = FadingCounts(PLACE_HALF_LIFE_DAYS, 4_096)
        self.by_author = FadingCounts(PLACE_HALF_LIFE_DAYS, 196_608)
        self.by_level = FadingCounts(PLACE_HALF_LIFE_DAYS, 32_768)
        self.names = FadingCounts(PLACE_HALF_LIFE_DAYS, 32_768)  # hosts, dependencies, sources
        self.title_words = FadingCounts(PLACE_HALF_LIFE_DAYS, 8_192)
        self.code_words = FadingCounts(PLACE_HALF_LIFE_DAYS, 65_536)
        self.moments = FadingCounts(PLACE_HALF_LIFE_DAYS, 64)  # hours and weekdays
        self.authors: dict[str, Author] = {}
        self.look_alikes: dict[str, str] = {}
        self.recent: deque[RecentChange] = deque()
        self.undone_shapes: dict[int, RecentChange] = {}
        self.tries: dict[int, int] = {}
        self.pending: deque[Places] = deque()
        self.mean_log_gap = 0.0
        self.gaps = 0.0
        self.last_at = 0.0

    def counts(self) -> dict[str, FadingCounts]:
        """Return every fading count by its name in the file."""
        return {name: value for name, value in vars(self).items() if isinstance(value, FadingCounts)}

    def remember_recent(self, change: RecentChange) -> None:
        """Keep a recent change, and forget the oldest above MOST_RECENT."""
        self.recent.append(change)
        self.undone_shapes[change.undone_shape] = change
        self.tries[change.tried_again] = self.tries.get(change.tried_again, 0) + 1
        if len(self.recent) > MOST_RECENT:
            oldest = self.recent.popleft()
            if self.undone_shapes.get(oldest.undone_shape) is oldest:
                del self.undone_shapes[oldest.undone_shape]
            self.tries[oldest.tried_again] -= 1
            if not self.tries[oldest.tried_again]:
                del self.tries[oldest.tried_again]


def level_of(experience: float, is_bot: bool) -> str:
    """Return the level of experience that an author is compared with."""
    if is_bot:
        return "bot"
    return "newcomer" if experience < 0.5 else "occasional" if experience < 10.0 else "regular"


def places_of(facts: Facts, level: str) -> Places:
    """Return what one change counts under, bounded by MOST_OF_ONE_CHANGE."""
    most, (hosts, dependencies, sources) = MOST_OF_ONE_CHANGE, facts.names
    names = [*[f"h{host}" for host in hosts], *[f"d{name}" for name in dependencies], *[f"r{host}" for host in sources]]
    return Places(
        at=facts.at, author=facts.author[:MOST_NAME_CHARACTERS], level=level,
        directories=_few(facts.directories, most), paths=_few(set(facts.file_paths), 4 * most),
        file_types=_few(facts.file_types, most), added_to=_few(facts.added_to, most),
        traits=traits_of(facts), names=_few(names, 2 * most), log_files=facts.log_files,
    )


def traits_of(facts: Facts) -> tuple[str, ...]:
    """Return the traits of a change, each with a prefix.

    They are its mix of kinds, sensitive and hidden places, the form of title and branch, its base and its fork.
    """
    traits = [f"s{place}" for place in sorted(facts.sensitive)]
    if facts.mix:
        traits.append(f"m{facts.mix}")
    traits.append(f"t{facts.title_shape}")
    if facts.branch_form is not None:
        traits.append(f"b{facts.branch_form}")
    if facts.hidden:
        traits.extend([f"h{part}" for part in sorted(facts.hidden)[:MOST_OF_ONE_CHANGE]])
    if facts.base is not None:
        traits.append(f"i{facts.base}")
    if facts.pull_request.is_from_fork is not None:
        traits.append(FORK if facts.pull_request.is_from_fork else NO_FORK)
    return tuple(traits)


def _few(names: "set[str] | list[str]", most: int) -> tuple[str, ...]:
    return tuple([name[:MOST_NAME_CHARACTERS] for name in sorted(names)[:most]]) if names else ()
