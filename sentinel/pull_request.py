"""The pull request as it stood when it was opened, and the one parser of GitHub's JSON.

`PullRequest` holds what a feature may read. What became of it later is its
`Outcome`, kept beside it for the history only: a feature cannot reach it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import orjson

from sentinel.errors import RecordError
from sentinel.graphql_answer import is_graphql_node, to_rest_shape
from sentinel.json_fields import (
    MAX_COUNT, MAX_NAME_CHARACTERS, read_count, read_mapping, read_one_of, read_required_time, read_text, read_time,
    shown,
)

AuthorKind = Literal["User", "Bot", "Organization", "Mannequin"]
FileStatus = Literal["added", "modified", "removed", "renamed", "copied", "changed", "unchanged"]

AUTHOR_KINDS = frozenset({"User", "Bot", "Organization", "Mannequin"})
FILE_STATUSES = frozenset({"added", "modified", "removed", "renamed", "copied", "changed", "unchanged"})

MAX_FILES = 3_000  # GitHub's list-files endpoint ends here
MAX_TITLE_CHARACTERS = 1_024
MAX_BODY_CHARACTERS = 65_536  # GitHub's own limit
MAX_FILE_PATCH_CHARACTERS = 65_536
REMEMBERED_NAMES = 1_024  # of repositories
MAX_PATCH_CHARACTERS = 1_048_576  # of one pull request; a MongoDB document may have 16 MiB


class ChangedFile(NamedTuple):  # a frozen dataclass takes eight times as long to make, and there are many
    """One file of a pull request; `patch` is None where the source does not carry it."""

    path: str
    status: FileStatus = "modified"
    additions: int = 0
    deletions: int = 0
    previous_path: str | None = None
    is_binary: bool = False
    mode: str | None = None  # as git writes it, "100755"; known from `git:` only
    previous_mode: str | None = None
    patch: str | None = None
    is_patch_cut: bool = False


@dataclass(frozen=True, slots=True)
class PullRequest:
    """A pull request at its opening; times are UTC; `files` is None where unknown."""

    repository: str
    number: int
    title: str
    opened_at: datetime
    body: str | None = None
    author: str | None = None  # None: the account was deleted
    author_kind: AuthorKind = "User"
    base_ref: str | None = None
    head_ref: str | None = None
    head_repository: str | None = None  # None: unknown, or the fork was deleted
    is_from_fork: bool | None = None
    head_sha: str | None = None
    commits: int | None = None
    additions: int = 0
    deletions: int = 0
    changed_files: int = 0
    files: tuple[ChangedFile, ...] | None = None

    @property
    def key(self) -> str:
        """Return OWNER/NAME#N, which names it everywhere."""
        return f"{self.repository}#{self.number}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became known only after the opening; no feature reads it."""

    updated_at: datetime | None = None
    merged_at: datetime | None = None
    closed_at: datetime | None = None
    merge_commit_sha: str | None = None

    @property
    def is_merged(self) -> bool:
        """Tell whether the change landed."""
        return self.merged_at is not None


@dataclass(frozen=True, slots=True)
class PullRequestRecord:
    """A pull request with what became of it, as sources read and stores keep it."""

    pull_request: PullRequest
    outcome: Outcome = Outcome()


def parse_pull_request(payload: Any, *, repository: str | None = None, number: int | None = None) -> PullRequestRecord:
    """Read one pull request in GitHub's REST shape or as a node of a GraphQL answer.

    `repository` and `number` serve where the payload has none. Raises RecordError, naming the field.
    """
    if type(payload) is not dict and not isinstance(payload, Mapping):
        raise RecordError(f"pull request: seen {type(payload).__name__}, expected a JSON object")
    if is_graphql_node(payload):
        payload = to_rest_shape(payload)
    head, base = read_mapping(payload, "head"), read_mapping(payload, "base")
    user = read_mapping(payload, "user")
    author = read_text(user, "login")
    base_repository = read_text(read_mapping(base, "repo"), "full_name") or repository
    head_repository = read_text(read_mapping(head, "repo"), "full_name")
    files = _files(payload)
    pull_request = PullRequest(
        repository=check_repository(base_repository),
        number=_number(payload, number),
        title=read_text(payload, "title", MAX_TITLE_CHARACTERS) or "",
        opened_at=read_required_time(payload, "created_at"),
        body=read_text(payload, "body", MAX_BODY_CHARACTERS),
        author=author,
        author_kind="User" if author is None else read_one_of(user, "type", AUTHOR_KINDS, "User"),
        base_ref=read_text(base, "ref"),
        head_ref=read_text(head, "ref"),
        head_repository=head_repository,
        is_from_fork=_is_from_fork(payload, head_repository, base_repository),
        head_sha=read_text(head, "sha"),
        commits=read_count(payload, "commits") if payload.get("commits") is not None else None,
        additions=_total(payload, "additions", files),
        deletions=_total(payload, "deletions", files),
        changed_files=read_count(payload, "changed_files", default=len(files or ())),
        files=files,
    )
    outcome = Outcome(
        updated_at=read_time(payload, "updated_at"),
        merged_at=read_time(payload, "merged_at"),
        closed_at=read_time(payload, "closed_at"),
        merge_commit_sha=read_text(payload, "merge_commit_sha"),
    )
    return PullRequestRecord(pull_request, outcome)


def to_rest_json(record: PullRequestRecord) -> dict[str, Any]:
    """Write a record in GitHub's REST shape; `parse_pull_request` reads back an equal one."""
    opened, outcome = record.pull_request, record.outcome
    user = None if opened.author is None else {"login": opened.author, "type": opened.author_kind}
    head_repository = None if opened.head_repository is None else {"full_name": opened.head_repository}
    return {
        "number": opened.number,
        "title": opened.title,
        "body": opened.body,
        "user": user,
        "created_at": _to_iso(opened.opened_at),
        "updated_at": _to_iso(outcome.updated_at),
        "merged_at": _to_iso(outcome.merged_at),
        "closed_at": _to_iso(outcome.closed_at),
        "merge_commit_sha": outcome.merge_commit_sha,
        "base": {"ref": opened.base_ref, "repo": {"full_name": opened.repository}},
        "head": {"ref": opened.head_ref, "sha": opened.head_sha, "repo": head_repository},
        "is_cross_repository": opened.is_from_fork,
        "commits": opened.commits,
        "additions": opened.additions,
        "deletions": opened.deletions,
        "changed_files": opened.changed_files,
        "files": None if opened.files is None else [_to_file_json(file) for file in opened.files],
    }


def check_repository(name: Any) -> str:
    """Return OWNER/NAME as it is; raise RecordError for anything else."""
    if not isinstance(name, str) or len(name) > 200 or not _is_repository(name):
        raise RecordError(f"repository: seen {shown(name)}, expected OWNER/NAME with one slash")
    return name


@lru_cache(maxsize=REMEMBERED_NAMES)
def _is_repository(name: str) -> bool:
    return name.count("/") == 1 and all(name.split("/")) and name.isprintable() and " " not in name


def parse_json_line(line: bytes) -> Any:
    """Read one line of JSON; raise RecordError with the place where it breaks."""
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise RecordError(f"line is no JSON: {error.msg} at character {error.pos}") from error


def _number(payload: Mapping[str, Any], default: int | None) -> int:
    value = payload.get("number")
    if value is None and default is not None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= MAX_COUNT:
        raise RecordError(f"number: seen {shown(value)}, expected a whole number above 0")
    return value


def _files(payload: Mapping[str, Any]) -> tuple[ChangedFile, ...] | None:
    files = payload.get("files")
    if files is None:
        return None
    if not isinstance(files, list):
        raise RecordError(f"files: seen {type(files).__name__}, expected a list")
    room = MAX_PATCH_CHARACTERS
    parsed = []
    for file in files[:MAX_FILES]:
        parsed.append(_file(file, room))
        room -= len(parsed[-1].patch or "")
    return tuple(parsed)


def _file(payload: Any, room: int) -> ChangedFile:
    """Read one file; its patch is cut to `room` characters.

    A value that is as usual is taken as it is; every other goes to the reader that knows what to say of it.
    """
    if type(payload) is not dict and not isinstance(payload, Mapping):
        raise RecordError(f"files: seen {type(payload).__name__} in the list, expected an object")
    get = payload.get
    path, status, additions, deletions = get("filename"), get("status"), get("additions"), get("deletions")
    if type(path) is not str or not path.isascii() or len(path) > MAX_NAME_CHARACTERS:
        path = read_text(payload, "filename")
    if not path:
        raise RecordError("files: one has no filename, expected its path")
    patch, is_cut = (None, bool(get("patch_truncated"))) if get("patch") is None else _patch(payload, room)
    return tuple.__new__(ChangedFile, (  # what the class does itself, without its defaults
        path,
        status if type(status) is str and status in FILE_STATUSES else _status(payload),
        additions if type(additions) is int and 0 <= additions <= MAX_COUNT else read_count(payload, "additions"),
        deletions if type(deletions) is int and 0 <= deletions <= MAX_COUNT else read_count(payload, "deletions"),
        None if get("previous_filename") is None else read_text(payload, "previous_filename"),
        get("binary") is True,
        None if get("mode") is None else read_text(payload, "mode"),
        None if get("previous_mode") is None else read_text(payload, "previous_mode"),
        patch,
        is_cut,
    ))


def _status(payload: Mapping[str, Any]) -> FileStatus:
    status: FileStatus = read_one_of(payload, "status", FILE_STATUSES, "modified")
    return status


def _patch(payload: Mapping[str, Any], room: int) -> tuple[str, bool]:
    """Read a patch, cut to `room` characters, and tell whether it is cut."""
    patch = read_text(payload, "patch", max(0, min(room, MAX_FILE_PATCH_CHARACTERS))) or ""
    return patch, bool(payload.get("patch_truncated")) or len(patch) < len(payload["patch"])


def _to_file_json(file: ChangedFile) -> dict[str, Any]:
    written: dict[str, Any] = {
        "filename": file.path, "status": file.status, "additions": file.additions, "deletions": file.deletions,
    }
    optional = {
        "previous_filename": file.previous_path, "binary": file.is_binary or None, "mode": file.mode,
        "previous_mode": file.previous_mode, "patch": file.patch, "patch_truncated": file.is_patch_cut or None,
    }
    return written | {name: value for name, value in optional.items() if value is not None}


def _is_from_fork(payload: Mapping[str, Any], head: str | None, base: str | None) -> bool | None:
    """Tell whether the branch lives in another repository; a deleted fork still counts where GitHub says so."""
    said = payload.get("is_cross_repository")
    if isinstance(said, bool):
        return said
    return None if head is None else head.lower() != (base or "").lower()


def _total(payload: Mapping[str, Any], field: str, files: tuple[ChangedFile, ...] | None) -> int:
    if payload.get(field) is None:
        return sum(getattr(file, field) for file in files or ())
    return read_count(payload, field)


def _to_iso(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat().replace("+00:00", "Z")
