"""Who wrote the branch that a merge brought in, when, and in how many commits."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO

from sentinel.errors import CorruptFileError

BRANCH_OPTIONS = ("log", "-z", "--topo-order", "--reverse", "--no-color", "--no-notes", "--encoding=UTF-8",
                  "--format=%H%x09%at%x09%aN%x09%aE")
READ_BYTES = 1_048_576

Author = tuple[str, str]  # name, e-mail


@dataclass(slots=True)
class Branch:
    """The commits that a merge brought in, added up."""

    commits: int = 0
    first_authored_at: int | None = None
    authors: Counter[Author] = field(default_factory=Counter)

    def add(self, authored_at: int, author: Author) -> None:
        """Count one commit."""
        self.commits += 1
        self.authors[author] += 1
        if self.first_authored_at is None or authored_at < self.first_authored_at:
            self.first_authored_at = authored_at

    @property
    def author(self) -> Author | None:
        """Return who wrote most of the commits; of several, who came first."""
        return self.authors.most_common(1)[0][0] if self.authors else None


class BranchReader:
    """Follows the whole history, oldest first, in step with the log of the first parents.

    In git's topological order the commits that a merge brought in stand, reversed, right
    between the merge's first parent and the merge, so one branch at a time is in memory.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        """Read `stream`, the output of `git log` with BRANCH_OPTIONS."""
        self._commits = map(_commit, read_fields(stream))

    def read(self, first_parent: str, merge: str) -> Branch:
        """Return the branch between the two; call it in the order of the history."""
        branch = Branch()
        for sha, authored_at, author in self._commits:
            if sha == merge:
                return branch
            if sha == first_parent:
                branch = Branch()
            else:
                branch.add(authored_at, author)
        raise CorruptFileError(f"merge {merge} is not in the history any more; the repository changed, run this again")


def read_fields(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield what stands between the NULs of a stream."""
    rest = b""
    while chunk := stream.read(READ_BYTES):
        *fields, rest = (rest + chunk).split(b"\0")
        yield from fields
    if rest:
        yield rest


def _commit(line: bytes) -> tuple[str, int, Author]:
    sha, authored_at, author = line.decode(errors="backslashreplace").split("\t", 2)
    name, _, email = author.rpartition("\t")
    return sha, int(authored_at), (name, email)
