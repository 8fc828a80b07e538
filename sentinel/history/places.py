"""How rare the places of a change are: for the repository, its author, and authors of the same experience."""

import math
from collections.abc import Collection, Iterable
from itertools import combinations

from sentinel.features.facts import Facts
from sentinel.features.situation import Rarity
from sentinel.history.memory import Memory

AUTHOR_PRIOR, LEVEL_PRIOR = 5.0, 10.0  # changes' worth of the wider share
UNSEEN = 0.25  # of a change: what something never seen counts
UNKNOWN = Rarity(math.nan, math.nan, math.nan)
NOTHING = Rarity(0.0, 0.0, 0.0)


class PlaceShares:
    """Shares of landed changes, smoothed so that nothing is impossible."""

    def __init__(self, memory: Memory, facts: Facts, level: str) -> None:
        """Look up what all places of one change are divided by."""
        self.memory, self.facts = memory, facts
        self.unit = unit = memory.landed.unit(facts.at)
        self.unseen, self.level_prior, self.author_prior = UNSEEN * unit, LEVEL_PRIOR * unit, AUTHOR_PRIOR * unit
        self.author_key, self.level_key = facts.author + "\0", level + "\0"
        self.authors, self.levels = memory.by_author.weights, memory.by_level.weights
        self.all = memory.landed.weights.get("all", 0.0) + unit
        self.of_level = memory.landed.weights.get(level, 0.0) + self.level_prior
        self.of_author = self.authors.get(self.author_key, 0.0) + self.author_prior

    def rarity(self, counts: dict[str, float], names: Iterable[str], prefix: str) -> Rarity:
        """Return the rarity of the rarest name; `counts` are those of the repository.

        The author's share leans on that of the level, and this on that of the repository.
        """
        here = for_author = for_level = 1.0
        for name in names:
            key = prefix + name
            share = (counts.get(key, 0.0) + self.unseen) / self.all
            at_level = (self.levels.get(self.level_key + key, 0.0) + self.level_prior * share) / self.of_level
            by_author = (self.authors.get(self.author_key + key, 0.0) + self.author_prior * at_level) / self.of_author
            here = share if share < here else here
            for_level = at_level if at_level < for_level else for_level
            for_author = by_author if by_author < for_author else for_author
        return Rarity(-math.log(here), -math.log(for_author), -math.log(for_level))

    def rarest(self, counts: dict[str, float], names: Collection[str]) -> float:
        """Return the rarity of the rarest name in the repository, 0 where there is no name."""
        if not names:
            return 0.0
        least = min([counts.get(name, 0.0) for name in names])
        return -math.log(min(1.0, (least + self.unseen) / self.all))

    def of_files(self) -> tuple[float, float]:
        """Return the mean rarity of the files, and ln of how many times more files usually change along."""
        weights, company = self.memory.paths.weights, self.memory.company.weights
        unit, now, unseen = self.unit, self.facts.log_files, self.unseen
        rarity, usual = 0.0, now
        for file in self.facts.files:
            path = file.path[:256]
            touched = weights.get(path, 0.0)
            rarity -= math.log((touched + unseen) / self.all)
            if touched:
                along = (company.get(path, 0.0) + now * unit) / (touched + unit)
                usual = along if along > usual else usual
        return max(0.0, rarity / len(self.facts.files)), usual - now

    def unfamiliar_files(self) -> float:
        """Count the files in directories that the author never touched."""
        familiar, key = self.authors, self.author_key + "d"
        unfamiliar = {directory for directory in self.facts.directories if key + directory not in familiar}
        return float(sum([path.directory in unfamiliar for path in self.facts.paths])) if unfamiliar else 0.0


def pairs_of(names: Collection[str]) -> list[str]:
    """Return every pair of names, of the first eight in order."""
    if len(names) < 2:
        return []
    return ["\0".join(pair) for pair in combinations(sorted(names)[:8], 2)]
