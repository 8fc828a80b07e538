"""What features read: the pull request's own facts, and what its history recalls of them."""

from dataclasses import dataclass

from sentinel.features.facts import Facts


@dataclass(slots=True)
class Situation:
    """A pull request before its repository's past; rarities in nats, times in days, NaN where unknown."""

    facts: Facts
    experience: float  # landed earlier pull requests of the author, faded
    earlier_here: float  # opened earlier pull requests of the author, not faded
    days_since_last: float
    silence: float  # ln of the ratio of the present gap to the author's usual one, 0 or more
    place_rarity: float  # rarest touched directory in the repository
    path_rarity: float  # mean over the touched files
    place_rarity_for_author: float
    place_rarity_for_level: float
    kind_rarity: float
    kind_rarity_for_author: float
    kind_rarity_for_level: float
    pair_rarity: float
    sensitive_rarity_for_level: float
    new_file_rarity: float
    aloneness: float  # ln of how many more files usually change along with these
    hour_rarity: float
    weekday_rarity: float
    opened_last_day: float
    opened_last_hour: float
    title_shape_rarity: float
    title_word_rarity: float
    undone: float  # 0; else 1 and more where it undoes a recent change, higher the fresher and the more often
    tries: float  # earlier recent changes of the author to the same files that did not land yet
    unfamiliar_files: float
    look_alike: float
