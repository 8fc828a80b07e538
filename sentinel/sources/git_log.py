"""Read the stream of one `git log` with raw changes, line counts and patches of each commit."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Any

from sentinel.errors import RecordError
from sentinel.pull_request import MAX_FILE_PATCH_CHARACTERS, MAX_FILES, MAX_PATCH_CHARACTERS

READ_BYTES = 1_048_576
MAX_COMMIT_BYTES = 67_108_864  # of one commit's output; the patch of a larger one is cut there
LOG_OPTIONS = (
    "log", "-z", "--first-parent", "--diff-merges=first-parent", "--reverse", "--root", "--raw", "--numstat",
    "--no-abbrev", "--find-renames", "-l1000", "--diff-algorithm=myers", "--no-color",
    "--no-notes", "--no-ext-diff", "--no-textconv", "--no-relative", "--ignore-submodules=none",
    "--submodule=short", "--encoding=UTF-8",
)
PATCH_OPTIONS = ("--patch",)
STATUS_BY_LETTER = {
    b"A": "added", b"C": "copied", b"D": "removed", b"M": "modified", b"R": "renamed", b"T": "changed",
}
NO_MODE = "000000"


@dataclass(slots=True)
class LoggedCommit:
    """One commit; `files` are in the shape of GitHub's list-files endpoint, at most 3,000 of them."""

    sha: str
    parents: list[str]
    authored_at: str  # seconds since 1970, as git writes them
    committed_at: str
    author_name: str
    author_email: str
    message: str
    files: list[dict[str, Any]] = field(default_factory=list)
    additions: int = 0
    deletions: int = 0
    changed_files: int = 0
    problem: str | None = None  # why `files` cannot be believed

    @property
    def patch_characters(self) -> int:
        """Return how many characters of patches it carries."""
        return sum(len(file.get("patch", "")) for file in self.files)


class LogFormat:
    """The format of a log whose commits nobody can counterfeit: each begins with an unguessable mark."""

    def __init__(self) -> None:
        """Choose the mark."""
        token = secrets.token_hex(16)
        self.option = f"--format=%x00{token}%x00%H%x00%P%x00%at%x00%ct%x00%aN%x00%aE%x00%B%x00"
        self._mark = b"\0" + token.encode() + b"\0"

    def commits(self, stream: IO[bytes]) -> Iterator[LoggedCommit]:
        """Yield the commits of `stream` in its order; memory holds one at a time."""
        for content, is_cut in split_stream(stream, self._mark):
            yield parse_commit(content, is_cut)


def split_stream(stream: IO[bytes], mark: bytes, max_bytes: int = MAX_COMMIT_BYTES) -> Iterator[tuple[bytes, bool]]:
    """Yield what stands after each `mark`, at most `max_bytes` of it, and whether it was cut."""
    buffer, searched, is_begun, is_cut = bytearray(), 0, False, False
    while chunk := stream.read(READ_BYTES):
        buffer += chunk
        while (end := buffer.find(mark, searched)) >= 0:
            if is_begun:
                yield bytes(buffer[:min(end, max_bytes)]), is_cut or end > max_bytes
            del buffer[:end + len(mark)]
            searched, is_begun, is_cut = 0, True, False
        if len(buffer) > max_bytes + len(mark):
            del buffer[max_bytes:-len(mark)]
            is_cut = True
        searched = max(0, len(buffer) - len(mark))
    if is_begun:
        yield bytes(buffer[:max_bytes]), is_cut or len(buffer) > max_bytes


def parse_commit(content: bytes, is_cut: bool = False) -> LoggedCommit:
    """Read one commit: seven fields that end in NUL, then its changes."""
    *fields, changes = content.split(b"\0", 7)
    sha, parents, authored_at, committed_at, name, email, message = map(_decoded, fields)
    commit = LoggedCommit(sha, parents.split(), authored_at, committed_at, name, email, message)
    try:
        start = _read_changed_paths(commit, changes, is_cut)
    except RecordError as error:
        commit.problem = str(error)
    else:
        _read_patches(commit, changes, start, is_cut)
    return commit


def _read_changed_paths(commit: LoggedCommit, changes: bytes, is_cut: bool) -> int:
    """Read the raw and the numstat entries; return where the patch begins."""
    fields = _Fields(changes, len(changes) - len(changes.lstrip(b"\0\n")), is_cut)
    counted = 0
    while entry := fields.next():
        if entry.startswith(b":"):
            _add_raw(commit, entry, fields)
        else:
            _add_counts(commit, counted, entry, fields)
            counted += 1
    return fields.position


@dataclass(slots=True)
class _Fields:
    """Fields that end in NUL; the end of a cut content is an error."""

    content: bytes
    position: int
    is_cut: bool

    def next(self) -> bytes:
        """Return the next field; empty at the end."""
        end = self.content.find(b"\0", self.position)
        if end < 0 and self.is_cut:
            raise RecordError(f"the list of changed files is longer than {MAX_COMMIT_BYTES} bytes")
        end = len(self.content) if end < 0 else end
        found = self.content[self.position:end]
        self.position = end + 1
        return found


def _add_raw(commit: LoggedCommit, entry: bytes, fields: _Fields) -> None:
    """Add a file from ":100644 100755 SHA SHA R90", followed by one path or two."""
    previous_mode, mode, _, _, status = entry[1:].decode().split(" ")
    path = fields.next()
    previous_path = None
    if status[0] in "RC":
        previous_path, path = path, fields.next()
    commit.changed_files += 1
    if len(commit.files) == MAX_FILES:
        return
    file: dict[str, Any] = {"filename": _decoded(path), "status": STATUS_BY_LETTER.get(status[:1].encode(), "changed")}
    if previous_path is not None:
        file["previous_filename"] = _decoded(previous_path)
    if mode != NO_MODE:
        file["mode"] = mode
    if previous_mode != NO_MODE:
        file["previous_mode"] = previous_mode
    commit.files.append(file)


def _add_counts(commit: LoggedCommit, index: int, entry: bytes, fields: _Fields) -> None:
    """Add "12\\t3\\tPATH" to the file at `index`; a rename has an empty path, followed by two."""
    additions, deletions, path = entry.split(b"\t", 2)
    if not path:
        fields.next(), fields.next()
    is_binary = additions == b"-"
    counts = (0, 0) if is_binary else (int(additions), int(deletions))
    commit.additions += counts[0]
    commit.deletions += counts[1]
    if index < len(commit.files):
        commit.files[index]["additions"], commit.files[index]["deletions"] = counts
        if is_binary:
            commit.files[index]["binary"] = True


def _read_patches(commit: LoggedCommit, changes: bytes, start: int, is_cut: bool) -> None:
    """Give each file its hunks; within the caps of the record, for what is beyond is cut anyway.

    A line that begins with "diff --git " is never content, for content has a sign before it,
    and git quotes line ends in the names of this header.
    """
    sections = _sections(changes, start)
    room = MAX_PATCH_CHARACTERS
    for file in commit.files:
        section = next(sections, None)
        if section is None or room <= 0:
            break
        hunks = _hunks(changes, *section)
        if file["status"] == "changed":  # a file that became a link: removed, then added
            following = next(sections, None)
            hunks += b"" if following is None else b"\n" + _hunks(changes, *following)
        if hunks.strip():
            text = hunks.decode(errors="replace")
            file["patch"] = text[:min(room, MAX_FILE_PATCH_CHARACTERS)]
            room -= len(file["patch"])
            if len(file["patch"]) < len(text) or is_cut and section[1] == len(changes):
                file["patch_truncated"] = True


def _sections(changes: bytes, start: int) -> Iterator[tuple[int, int]]:
    """Yield where each file's part of the patch begins and ends."""
    if changes[start:start + 11] != b"diff --git ":
        return
    while start < len(changes):
        end = changes.find(b"\ndiff --git ", start)
        end = len(changes) if end < 0 else end
        yield start, end
        start = end + 1


def _hunks(changes: bytes, start: int, end: int) -> bytes:
    """Return the hunks of a section, as GitHub gives them: from the first "@@", without headers."""
    first = changes.find(b"\n@@ ", start, end)
    longest = 4 * MAX_FILE_PATCH_CHARACTERS + 4  # bytes that are certain to hold one character too many
    return b"" if first < 0 else changes[first + 1:min(end, first + longest)].rstrip(b"\n")


def _decoded(text: bytes) -> str:
    return text.decode(errors="backslashreplace")
