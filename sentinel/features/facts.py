"""What a pull request says by itself, read once for all features."""

import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from operator import add
from zlib import crc32

from sentinel.content import Content, Names, read_content, read_names
from sentinel.paths import (
    HIDDEN_CHARACTER, LOCK_OF_MANIFEST, MOST_READ, PathFacts, is_hostile_name, path_facts, words_of,
)
from sentinel.pull_request import ChangedFile, PullRequest

MOST_FILES = 300  # what lies beyond says nothing new about the places; sizes count all files
WRITTEN = ("added", "modified")  # statuses
EFFECTIVE_KINDS = frozenset({"code", "config", "binary"})
SPECIAL_MODES = frozenset({"160000", "120000"})  # a submodule, a symbolic link
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TITLE_TYPE = re.compile(r"\s*(?:(\[[^\]]{1,30}\])|([a-z]+)(?:\([^)]{1,40}\))?!?:|([A-Z]{2,12}-\d+)|([A-Z]{3,8}):)")
PROMISES_OF_TEXT = frozenset({
    "doc", "docs", "documentation", "typo", "typos", "readme", "comment", "comments", "spelling", "grammar",
    "whitespace", "formatting", "changelog", "translation", "translations", "wording", "lint", "cosmetic",
})
WORDS_OF_MACHINERY = frozenset({  # whoever names it promises more than text
    "ci", "build", "config", "configuration", "linter", "pipeline", "rule", "rules", "script", "scripts", "setting",
    "settings", "setup", "tooling", "workflow", "workflows",
})
SHELL_SIGN = re.compile(r"[$`;|&<>]")  # one of these, or "base64", is in all that SHELL_TEXT finds
SHELL_TEXT = re.compile(r"\$\(|\$\{|`[^`]*\||;\s*\w+\s|\|\s*(?:ba)?sh\b|&&|\|\||base64|[<>]\(")
BRANCH_FORM = re.compile(r"[A-Za-z]+")


class Facts:
    """What one pull request says by itself; times in seconds since 1970.

    The columns of the files (`file_paths`, `additions`, …) are read apart, and only paths that are noteworthy are
    looked at one by one: most changes have none.
    """

    __slots__ = (  # some fifty reads a vector: without a dictionary behind them they cost half
        "pull_request", "at", "hour", "weekday", "author", "is_bot", "files", "file_paths", "additions", "deletions",
        "paths", "log_churn", "log_files", "directories", "file_types", "added_to", "lines", "n_lines",
        "generated_lines", "hostile_names", "binary_files", "mode_changes", "removed_tests", "sensitive", "hidden",
        "mix", "title_shape", "title_words", "branch_form", "base", "_has_patch", "_content", "_is_content_read",
        "_tried_again",
    )

    def __init__(self, pull_request: PullRequest) -> None:
        """Read `pull_request`."""
        opened_at = pull_request.opened_at
        self.pull_request = pull_request
        self.at = opened_at.timestamp()
        self.hour, self.weekday = opened_at.hour, opened_at.weekday()
        self.author = author = (pull_request.author or "").lower()[:256]
        self.is_bot = pull_request.author_kind == "Bot" or author.endswith("[bot]")
        self.log_churn = math.log1p(pull_request.additions + pull_request.deletions)
        self.log_files = math.log(pull_request.changed_files or 1)
        self.added_to: set[str] = set()
        self.generated_lines = self.hostile_names = self.binary_files = self.mode_changes = self.removed_tests = 0
        self.sensitive: dict[str, int] = {}
        self.hidden: set[str] = set()
        self._read_files((pull_request.files or ())[:MOST_FILES])
        self.title_shape = title_shape(pull_request.title)
        self.title_words = words_of(pull_request.title)
        self.branch_form = branch_form(pull_request.head_ref)
        base = pull_request.base_ref
        self.base = None if base is None else base[:256]
        self._content: Content | None = None
        self._is_content_read = False
        self._tried_again: int | None = None

    def _read_files(self, files: tuple[ChangedFile, ...]) -> None:
        self.files = files
        columns = zip(*files) if files else ((),) * len(ChangedFile._fields)
        self.file_paths, statuses, self.additions, self.deletions, _, binary, modes, modes_before, patches, _ = columns
        self.paths = paths = list(map(path_facts, self.file_paths))
        self.lines = list(map(add, self.additions, self.deletions))
        self.n_lines = sum(self.lines)
        self.directories = {path.directory for path in paths}
        self.file_types = {path.file_type for path in paths}
        kinds: set[str] = {path.kind for path in paths}
        for place in [place for place, path in enumerate(paths) if path.is_noteworthy]:
            self._note(paths[place], statuses[place], self.lines[place])
        if True in binary:
            self.binary_files += sum([is_binary and path.kind != "binary" and status in WRITTEN
                                      for is_binary, path, status in zip(binary, paths, statuses)])
        if "added" in statuses:
            self.added_to = {path.directory for path, status in zip(paths, statuses) if status == "added"}
        if "removed" in statuses:
            self.removed_tests = sum([status == "removed" and path.kind == "test"
                                      for path, status in zip(paths, statuses)])
        if any(modes):
            self.mode_changes = sum([mode is not None and (mode in SPECIAL_MODES or before not in (None, mode))
                                     for mode, before in zip(modes, modes_before)])
        self._has_patch = patches.count(None) < len(patches)
        self.mix = "+".join([*sorted(kinds), *sorted(self.sensitive)])

    def _note(self, path: PathFacts, status: str, lines: int) -> None:
        if path.sensitive is not None:
            self.sensitive[path.sensitive] = self.sensitive.get(path.sensitive, 0) + 1
        if path.is_generated:
            self.generated_lines += lines
        if path.is_hostile:
            self.hostile_names += 1
        if path.hidden:
            self.hidden.add(path.hidden)
        if path.kind == "binary" and status in WRITTEN:
            self.binary_files += 1

    @property
    def effective_lines(self) -> int:
        """Return the lines of code, configuration and binary files, and one more for each of these.

        Where the title names configuration or build, these do not count: they are no surprise to its reader.
        """
        is_named = not self.title_words.isdisjoint(WORDS_OF_MACHINERY)
        return sum([lines + 1 for path, lines in zip(self.paths, self.lines) if path.kind in EFFECTIVE_KINDS
                    and not (is_named and (path.sensitive is not None or path.kind == "config"))])

    @property
    def content(self) -> Content | None:
        """Return what the added lines show, read at the first call; None where no patch is known."""
        if self._has_patch and not self._is_content_read:
            self._content, self._is_content_read = read_content(self.files, self.paths), True
        return self._content

    @property
    def names(self) -> Names:
        """Return what the added lines name, without reading the rest where nobody asked for it."""
        if self._content is None:
            return read_names(self.files, self.paths) if self._has_patch else Names()
        return Names(self._content.hosts, self._content.dependencies, self._content.sources)

    @property
    def tried_again(self) -> int:
        """Return a hash of the author and the touched paths."""
        if self._tried_again is None:
            self._tried_again = _hash([self.author, *sorted(self.file_paths)])
        return self._tried_again

    @property
    def shape(self) -> int:
        """Return a hash of the paths, each with its added and removed lines."""
        return _shape(self.file_paths, self.additions, self.deletions)

    @property
    def undone_shape(self) -> int:
        """Return the `shape` of a change that undoes this one."""
        return _shape(self.file_paths, self.deletions, self.additions)


def title_shape(title: str) -> str:
    """Return the form of a title: its prefix, else its first word."""
    found = TITLE_TYPE.match(title)
    if found is not None:
        bracket, kind, ticket, capitals = found.groups()
        return kind or (capitals and "ABC:") or (ticket and "ABC-1") or bracket.lower()
    first = title.split(None, 1)[0][:20] if title.strip() else ""
    return first.lower() if first.isalpha() else "other"


def branch_form(branch: str | None) -> str | None:
    """Return the first word of a branch's name, by which authors and bots keep their habits."""
    found = None if branch is None else BRANCH_FORM.search(branch)
    return None if branch is None else "" if found is None else found.group()[:20].lower()


def line_entropy(facts: Facts) -> float:
    """Return how evenly the lines are spread over the files, 0 to 1 (Kamei et al. 2013, normalised Shannon)."""
    total, log = facts.n_lines, math.log
    if len(facts.lines) < 2 or not total:
        return 0.0
    return -sum([(share := n / total) * log(share) for n in facts.lines if n]) / log(len(facts.lines))


def locks_without_manifest(facts: Facts) -> int:
    """Count lock files whose manifest is not changed along."""
    if "dependency" not in facts.sensitive:
        return 0
    names = {path.name for path in facts.paths}
    return sum(name in LOCK_OF_MANIFEST and LOCK_OF_MANIFEST[name] not in names for name in names)


def unmentioned_share(facts: Facts) -> float:
    """Return the share of files of whose names neither title nor body says a word."""
    words, body = facts.title_words, (facts.pull_request.body or "")[:MOST_READ].lower()
    return sum([path.words_of_name.isdisjoint(words) and path.name.partition(".")[0] not in body
                for path in facts.paths]) / len(facts.paths)


def hostile_text(facts: Facts) -> int:
    """Count what a shell or a reader's eye would take otherwise in title, branch and file names."""
    title, branch = facts.pull_request.title, facts.pull_request.head_ref
    is_hidden = not title.isascii() and HIDDEN_CHARACTER.search(title) is not None
    is_branch_hostile = branch is not None and is_hostile_name(branch)
    is_plain = SHELL_SIGN.search(title) is None and "base64" not in title
    n_shell = 0 if is_plain else len(SHELL_TEXT.findall(title))
    return n_shell + is_hidden + is_branch_hostile + facts.hostile_names


def _hash(parts: list[str]) -> int:
    return crc32("\0".join(parts).encode(errors="replace"))


def _shape(paths: Iterable[str], added: Iterable[int], removed: Iterable[int]) -> int:
    return _hash(sorted([f"{path}+{n_added}-{n_removed}" for path, n_added, n_removed in zip(paths, added, removed)]))
