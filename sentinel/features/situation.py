"""What features read: the pull request's own facts, and what its history recalls of them."""

from dataclasses import dataclass

from sentinel.features.facts import Facts


@dataclass(slots=True)
class Rarity:
    """The rarest part of a change, in nats: minus the logarithm of a smoothed share of landed changes."""

    here: float
    for_author: float
    for_level: float


@dataclass(slots=True)  # not frozen: that would cost a tenth of a vector's time
class Situation:
    """A pull request before its repository's past; rarities in nats, times in days, NaN where unknown."""

    facts: Facts
    level: str  # of experience: newcomer, occasional, regular, bot
    experience: float  # landed earlier pull requests of the author, faded
    earlier: int  # opened earlier pull requests of the author
    silence: float  # ln of how many times longer the gap is than the author's usual one, 0 or more
    quiet: float  # ln(1 + hours) since anything was opened in the repository
    larger_than_own: float  # ln of how many times larger the change is than the author's usual one, 0 or more
    opened_last_day: int  # by the author
    looks_like_other: bool
    directory: Rarity
    extension: float  # rarest file type in the repository
    mix: Rarity  # exactly these kinds and sensitive places together
    sensitive: Rarity  # 0 where nothing sensitive is touched
    title: Rarity
    branch: Rarity
    path: float  # mean over the files
    pair: float  # rarest pair of file types
    added_to: float  # directory where files are most seldom added, 0 where none is
    aloneness: float  # ln of how many times more files usually change along
    unfamiliar_files: float  # in directories that the author never touched
    title_words: float  # mean rarity of the title's words
    hour: float  # rarity for the author
    weekday: float  # rarity in the repository
    undone: float  # 0, or higher the fresher and the more often undone the change is that this one undoes
    tries: int  # recent changes of the author to exactly these files
    new_hosts: int  # in the added lines, outside documentation
    new_piped_hosts: int
    new_dependencies: int
    look_alike_dependencies: int
    new_words: float  # share of the words of added code
