"""What a pull request says by itself, read once for all features."""

import math
import re
from collections import Counter
from datetime import UTC, datetime

from sentinel.features.paths import LOCK_OF_MANIFEST, PathFacts, path_facts, words_of
from sentinel.pull_request import ChangedFile, PullRequest

MOST_FILES = 300  # what lies beyond says nothing new about the places; sizes count all files
TITLE_TYPE = re.compile(r"^\s*(?:(\[[^\]]{1,30}\])|([a-z]+)(?:\([^)]{1,40}\))?!?:|([A-Z]{2,12}-\d+)|([A-Z]{3,8}):)")
SECONDS_PER_HOUR = 3_600
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TEXT_PROMISES = re.compile(r"\b(docs?|documentation|typos?|readme|comments?|spelling|grammar|whitespace|formatting"
                           r"|changelog|translations?|wording|lint|cosmetics?)\b", re.IGNORECASE)
REVERT = re.compile(r"\b(revert|undo|roll ?back|back ?out)\w*\b", re.IGNORECASE)


class Facts:
    """What one pull request says by itself; sizes in lines, times in seconds since 1970."""

    __slots__ = ("pull_request", "at", "hour", "weekday", "author", "files", "paths", "churn", "directories", "tops",
                 "extensions", "kinds", "sensitive", "added", "title_shape", "title_words", "path_words", "is_bot")

    def __init__(self, pull_request: PullRequest) -> None:
        """Read `pull_request`."""
        opened_at = pull_request.opened_at
        self.pull_request = pull_request
        self.at = (opened_at - EPOCH).total_seconds()
        self.hour, self.weekday = opened_at.hour, opened_at.weekday()
        self.author = (pull_request.author or "").lower()
        self.is_bot = pull_request.author_kind == "Bot" or self.author.endswith("[bot]")
        self.files: tuple[ChangedFile, ...] = (pull_request.files or ())[:MOST_FILES]
        self.paths: list[PathFacts] = [path_facts(file.path) for file in self.files]
        self.churn = pull_request.additions + pull_request.deletions
        self.directories = {path.directory for path in self.paths}
        self.tops = {path.top for path in self.paths}
        self.extensions = {path.extension for path in self.paths}
        self.kinds = {path.kind for path in self.paths}
        self.sensitive = {path.sensitive for path in self.paths if path.sensitive}
        self.added = [path for path, file in zip(self.paths, self.files, strict=True) if file.status == "added"]
        self.title_shape = title_shape(pull_request.title)
        self.title_words = words_of(pull_request.title)
        self.path_words: frozenset[str] = frozenset().union(*(path.words for path in self.paths))


def title_shape(title: str) -> str:
    """Return the form of a title: its prefix, else its first word and whether that is a capital."""
    found = TITLE_TYPE.match(title)
    if found is not None:
        bracket, kind, ticket, capitals = found.groups()
        return kind or (capitals and "ABC:") or (ticket and "ABC-1") or bracket.lower()
    first = title.split(None, 1)[0][:20] if title.strip() else ""
    return first.lower() if first.isalpha() else "other"


def entropy_of_lines(files: tuple[ChangedFile, ...]) -> float:
    """Return how evenly the lines are spread over the files, 0 to 1 (Kamei et al. 2013, normalised Shannon)."""
    lines = [file.additions + file.deletions for file in files]
    total = sum(lines)
    if len(lines) < 2 or total == 0:
        return 0.0
    return -sum(n / total * math.log(n / total) for n in lines if n) / math.log(len(lines))


def promises_only_text(title: str) -> bool:
    """Tell whether a title promises documentation, a typo or another change without effect."""
    return TEXT_PROMISES.search(title) is not None


def effective_share(facts: Facts) -> float:
    """Return the share of changed lines in files that are neither documentation nor tests, 0 to 1."""
    lines = Counter({True: 0, False: 0})
    for path, file in zip(facts.paths, facts.files, strict=True):
        lines[path.kind in ("code", "config", "binary")] += file.additions + file.deletions + 1
    return lines[True] / max(1, sum(lines.values()))


def locks_without_manifest(facts: Facts) -> int:
    """Count lock files whose manifest is not changed along."""
    names = {path.name for path in facts.paths}
    return sum(name in LOCK_OF_MANIFEST and LOCK_OF_MANIFEST[name] not in names for name in names)
