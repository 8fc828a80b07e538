"""What features read: the pull request's own facts, and what its history recalls of them."""

from dataclasses import dataclass
from math import nan

from sentinel.features.facts import Facts


@dataclass(frozen=True, slots=True)
class AddedNames:
    """What the added lines name that was never seen in the repository."""

    new_hosts: float = nan  # outside documentation
    new_piped_hosts: float = nan
    new_dependencies: float = nan
    new_sources: float = nan  # hosts that packages come from
    look_alike_dependencies: float = nan
    new_words: float = nan  # share of the words of added code


@dataclass(slots=True)  # not frozen, and filled field by field: that is cheaper than 30 arguments
class Situation:
    """A pull request before its repository's past; NaN where unknown.

    Rarities are of the rarest part of a change, in nats: minus the logarithm of a smoothed share of landed changes.
    """

    facts: Facts
    level: str  # of experience: newcomer, occasional, regular, bot
    experience: float  # landed earlier pull requests of the author, faded
    earlier: int  # opened earlier pull requests of the author
    silence: float = nan  # ln of how many times longer the gap is than the author's usual one, 0 or more
    quiet: float = nan  # ln(1 + hours) since anything was opened in the repository
    larger_than_own: float = nan  # ln of how many times larger the change is than the author's usual one, 0 or more
    opened_last_day: int = 0  # by the author
    looks_like_other: bool = False
    directory: float = nan  # rarity in the repository
    directory_for_author: float = nan
    directory_for_level: float = nan
    file_type: float = nan  # rarest in the repository
    file_type_for_author: float = nan
    mix_for_author: float = nan  # exactly these kinds and sensitive places together
    mix_for_level: float = nan
    sensitive_for_author: float = nan  # 0 where nothing sensitive is touched
    sensitive_for_level: float = nan
    title_for_author: float = nan
    branch_for_author: float = nan
    path: float = nan  # mean rarity of the files
    pair: float = nan  # rarest pair of file types
    hidden_for_level: float = nan  # hidden file or folder, 0 where none is touched
    base_for_author: float = nan  # branch that the change goes into
    fork_for_author: float = nan  # whether it comes from a fork
    added_to: float = nan  # directory where files are most seldom added, 0 where none is
    aloneness: float = nan  # ln of how many times more files usually change along
    unfamiliar_files: float = nan  # in directories that the author never touched
    title_words: float = nan  # mean rarity of the title's words
    hour: float = nan  # rarity for the author
    weekday: float = nan  # rarity for the author
    undone: float = 0.0  # higher the fresher and the more often undone the change is that this one undoes
    tries: int = 0  # recent changes of the author to exactly these files
    added: AddedNames = AddedNames()
