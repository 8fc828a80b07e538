"""How rare the places of a change are: for the repository, its author, and authors of the same experience."""

import math
from collections.abc import Collection, Iterable
from itertools import combinations

from sentinel.features.facts import Facts
from sentinel.history.memory import MOST_NAME_CHARACTERS, Memory

AUTHOR_PRIOR, LEVEL_PRIOR = 5.0, 10.0  # changes' worth of the wider share
UNSEEN = 0.25  # of a change: what something never seen counts


class PlaceShares:
    """Shares of landed changes, smoothed so that nothing is impossible."""

    __slots__ = ("memory", "facts", "unit", "unseen", "level_prior", "author_prior", "author_key", "level_key",
                 "authors", "levels", "all", "of_level", "of_author")

    def __init__(self, memory: Memory, facts: Facts, level: str) -> None:
        """Look up what all places of one change are divided by."""
        self.memory, self.facts = memory, facts
        self.unit = unit = memory.landed.unit(facts.at)
        self.unseen, self.level_prior, self.author_prior = UNSEEN * unit, LEVEL_PRIOR * unit, AUTHOR_PRIOR * unit
        self.author_key, self.level_key = facts.author + "\0", level + "\0"
        self.authors, self.levels = memory.by_author.weights, memory.by_level.weights
        landed = memory.landed.weights
        self.all = landed.get("all", 0.0) + unit
        self.of_level = landed.get(level, 0.0) + self.level_prior
        self.of_author = self.authors.get(self.author_key, 0.0) + self.author_prior

    def rarity(self, counts: dict[str, float], keys: Iterable[str]) -> tuple[float, float, float]:
        """Return the rarity of the rarest key here, for the author, and for the level; `counts` are those here.

        The author's share leans on that of the level, and this on that of the repository.
        """
        unseen, everything = self.unseen, self.all
        level_key, levels, level_prior, of_level = self.level_key, self.levels, self.level_prior, self.of_level
        author_key, authors, author_prior, of_author = self.author_key, self.authors, self.author_prior, self.of_author
        here = for_author = for_level = 1.0
        for key in keys:
            share = (counts.get(key, 0.0) + unseen) / everything
            at_level = (levels.get(level_key + key, 0.0) + level_prior * share) / of_level
            by_author = (authors.get(author_key + key, 0.0) + author_prior * at_level) / of_author
            if share < here:
                here = share
            if at_level < for_level:
                for_level = at_level
            if by_author < for_author:
                for_author = by_author
        return -math.log(here), -math.log(for_author), -math.log(for_level)

    def trait_for_author(self, key: str) -> float:
        """Return the rarity of one trait for the author, as `rarity` does."""
        share = (self.memory.traits.weights.get(key, 0.0) + self.unseen) / self.all
        at_level = (self.levels.get(self.level_key + key, 0.0) + self.level_prior * share) / self.of_level
        by_author = (self.authors.get(self.author_key + key, 0.0) + self.author_prior * at_level) / self.of_author
        return -math.log(by_author if by_author < 1.0 else 1.0)

    def rarest(self, counts: dict[str, float], names: Collection[str]) -> float:
        """Return the rarity of the rarest name in the repository, 0 where there is no name."""
        if not names:
            return 0.0
        least = min([counts.get(name, 0.0) for name in names])
        return -math.log(min(1.0, (least + self.unseen) / self.all))

    def rarest_for_author(self, counts: dict[str, float], keys: Collection[str]) -> tuple[float, float]:
        """Return the rarity of the rarest key here and for the author, whose share leans on that of the repository."""
        author_key, get, unseen, everything = self.author_key, self.authors.get, self.unseen, self.all
        prior = self.author_prior / everything
        here = [counts.get(key, 0.0) + unseen for key in keys]
        by_author = min([get(author_key + key, 0.0) + prior * weight for key, weight in zip(keys, here)])
        return -math.log(min(1.0, min(here) / everything)), -math.log(min(1.0, by_author / self.of_author))

    def of_files(self) -> tuple[float, float]:
        """Return the mean rarity of the files, and ln of how many times more files usually change along."""
        weights, company = self.memory.paths.weights, self.memory.company.weights
        unit, now, unseen, everything, log = self.unit, self.facts.log_files, self.unseen, self.all, math.log
        rarity, usual, of_unseen = 0.0, now, log(unseen / everything)
        for path in self.facts.file_paths:
            if len(path) > MOST_NAME_CHARACTERS:
                path = path[:MOST_NAME_CHARACTERS]
            if touched := weights.get(path, 0.0):
                rarity -= log((touched + unseen) / everything)
                along = (company.get(path, 0.0) + now * unit) / (touched + unit)
                if along > usual:
                    usual = along
            else:
                rarity -= of_unseen
        return max(0.0, rarity / len(self.facts.file_paths)), usual - now

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
