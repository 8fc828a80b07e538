"""What a pull request says by itself, read once for all features."""

import math
import re
from datetime import UTC, datetime
from zlib import crc32

from sentinel.content import Content, read_content, read_names
from sentinel.paths import HIDDEN_CHARACTER, LOCK_OF_MANIFEST, PathFacts, is_hostile_name, path_facts, words_of
from sentinel.pull_request import ChangedFile, PullRequest

MOST_FILES = 300  # what lies beyond says nothing new about the places; sizes count all files
EFFECTIVE_KINDS = frozenset({"code", "config", "binary"})
SPECIAL_MODES = frozenset({"160000", "120000"})  # a submodule, a symbolic link
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TITLE_TYPE = re.compile(r"\s*(?:(\[[^\]]{1,30}\])|([a-z]+)(?:\([^)]{1,40}\))?!?:|([A-Z]{2,12}-\d+)|([A-Z]{3,8}):)")
PROMISES_OF_TEXT = frozenset({
    "doc", "docs", "documentation", "typo", "typos", "readme", "comment", "comments", "spelling", "grammar",
    "whitespace", "formatting", "changelog", "translation", "translations", "wording", "lint", "cosmetic",
})
WORDS_OF_UNDOING = frozenset({"revert", "reverts", "reverting", "undo", "rollback", "backout", "reapply"})
SHELL_SIGN = re.compile(r"[$`;|&<>]")  # one of these, or "base64", is in all that SHELL_TEXT finds
SHELL_TEXT = re.compile(r"\$\(|\$\{|`[^`]*\||;\s*\w+\s|\|\s*(?:ba)?sh\b|&&|\|\||base64|[<>]\(")
BRANCH_FORM = re.compile(r"[A-Za-z]+")


class Facts:
    """What one pull request says by itself; times in seconds since 1970."""

    __slots__ = (  # some fifty reads a vector: without a dictionary behind them they cost half
        "pull_request", "at", "hour", "weekday", "author", "is_bot", "files", "paths", "log_churn", "log_files",
        "directories", "extensions", "kinds", "added_to", "path_words", "lines", "effective_lines", "generated_lines",
        "hostile_names", "binary_files", "mode_changes", "removed_tests", "sensitive", "mix", "title_shape",
        "title_words", "branch_form", "_content", "_is_content_read", "_tried_again",
    )

    def __init__(self, pull_request: PullRequest) -> None:
        """Read `pull_request`."""
        opened_at = pull_request.opened_at
        self.pull_request = pull_request
        self.at = opened_at.timestamp()
        self.hour, self.weekday = opened_at.hour, opened_at.weekday()
        self.author = (pull_request.author or "").lower()[:256]
        self.is_bot = pull_request.author_kind == "Bot" or self.author.endswith("[bot]")
        self.files: tuple[ChangedFile, ...] = (pull_request.files or ())[:MOST_FILES]
        self.paths: list[PathFacts] = [path_facts(file.path) for file in self.files]
        self.log_churn = math.log1p(pull_request.additions + pull_request.deletions)
        self.log_files = math.log(pull_request.changed_files or 1)
        self.directories = {path.directory for path in self.paths}
        self.extensions = {path.extension for path in self.paths}
        self.kinds: set[str] = {path.kind for path in self.paths}
        self.path_words: frozenset[str] = frozenset().union(*[path.words for path in self.paths])
        self.added_to: set[str] = set()
        self.lines: list[int] = []
        self.effective_lines = self.generated_lines = self.hostile_names = 0
        self.binary_files = self.mode_changes = self.removed_tests = 0
        self.sensitive: dict[str, int] = {}
        for file, path in zip(self.files, self.paths, strict=True):
            self._count(file, path)
        self.mix = "+".join([*sorted(self.kinds), *sorted(self.sensitive)])
        self.title_shape = title_shape(pull_request.title)
        self.title_words = words_of(pull_request.title)
        self.branch_form = branch_form(pull_request.head_ref)
        self._content: Content | None = None
        self._is_content_read = False
        self._tried_again: int | None = None

    def _count(self, file: ChangedFile, path: PathFacts) -> None:
        lines = file.additions + file.deletions
        self.lines.append(lines)
        if path.sensitive is not None:
            self.sensitive[path.sensitive] = self.sensitive.get(path.sensitive, 0) + 1
        if path.kind in EFFECTIVE_KINDS:
            self.effective_lines += lines + 1
        if path.is_generated:
            self.generated_lines += lines
        if path.is_hostile:
            self.hostile_names += 1
        if file.status == "added":
            self.added_to.add(path.directory)
        elif file.status == "removed" and path.kind == "test":
            self.removed_tests += 1
        if (file.is_binary or path.kind == "binary") and file.status in ("added", "modified"):
            self.binary_files += 1
        if file.mode is not None and (file.mode in SPECIAL_MODES or file.previous_mode not in (None, file.mode)):
            self.mode_changes += 1

    @property
    def content(self) -> Content | None:
        """Return what the added lines show, read at the first call; None where no patch is known."""
        if not self._is_content_read:
            self._content, self._is_content_read = read_content(self.files, self.paths), True
        return self._content

    @property
    def names(self) -> tuple[frozenset[str], frozenset[str]]:
        """Return the hosts and dependencies of the added lines, without reading the rest where nobody asked for it."""
        if self._content is None:
            return read_names(self.files, self.paths)
        return self._content.hosts, self._content.dependencies

    @property
    def tried_again(self) -> int:
        """Return a hash of the author and the touched paths."""
        if self._tried_again is None:
            self._tried_again = _hash([self.author, *sorted([file.path for file in self.files])])
        return self._tried_again

    @property
    def shape(self) -> int:
        """Return a hash of the paths, each with its added and removed lines."""
        return _hash(sorted([f"{file.path}+{file.additions}-{file.deletions}" for file in self.files]))

    @property
    def undone_shape(self) -> int:
        """Return the `shape` of a change that undoes this one."""
        return _hash(sorted([f"{file.path}+{file.deletions}-{file.additions}" for file in self.files]))


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
    total = sum(facts.lines)
    if len(facts.lines) < 2 or not total:
        return 0.0
    shares = [n / total for n in facts.lines if n]
    return -sum([share * math.log(share) for share in shares]) / math.log(len(facts.lines))


def locks_without_manifest(facts: Facts) -> int:
    """Count lock files whose manifest is not changed along."""
    if "dependency" not in facts.sensitive:
        return 0
    names = {path.name for path in facts.paths}
    return sum(name in LOCK_OF_MANIFEST and LOCK_OF_MANIFEST[name] not in names for name in names)


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
