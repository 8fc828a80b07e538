"""Records as GitHub shows them: nodes of GraphQL, objects of REST."""

import base64
import binascii
from typing import Any

from sentinel.pull_request import ChangedFile, PullRequestRecord, to_rest_json

MAX_PAGE = 100
CHANGE_TYPE_BY_STATUS = {"added": "ADDED", "removed": "DELETED", "modified": "MODIFIED", "renamed": "RENAMED"}


def encode_cursor(*key: int) -> str:
    """Return an opaque cursor, keyset as GitHub's are."""
    return base64.b64encode(f"cursor:v2:{':'.join(map(str, key))}".encode()).decode()


def decode_cursor(cursor: str) -> tuple[int, ...]:
    """Return the key in a cursor; raises ValueError for what is none."""
    try:
        head, version, *key = base64.b64decode(cursor, validate=True).decode().split(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValueError(cursor) from error
    if (head, version) != ("cursor", "v2"):
        raise ValueError(cursor)
    return tuple(map(int, key))


def to_node(record: PullRequestRecord, with_files: bool) -> dict[str, Any]:
    """Return a record as our GraphQL query asks for it."""
    opened, outcome = record.pull_request, to_rest_json(record)
    node = {
        "number": opened.number, "title": opened.title, "body": opened.body or "",
        "createdAt": outcome["created_at"], "updatedAt": outcome["updated_at"],
        "mergedAt": outcome["merged_at"], "closedAt": outcome["closed_at"],
        "additions": opened.additions, "deletions": opened.deletions, "changedFiles": opened.changed_files,
        "author": None if opened.author is None else {
            "__typename": opened.author_kind, "login": opened.author.removesuffix("[bot]")},
        "isCrossRepository": opened.is_from_fork, "baseRefName": opened.base_ref,
        "headRefName": opened.head_ref, "headRefOid": opened.head_sha,
        "headRepository": None if opened.head_repository is None else {"nameWithOwner": opened.head_repository},
        "mergeCommit": None if outcome["merge_commit_sha"] is None else {"oid": outcome["merge_commit_sha"]},
        "commits": {"totalCount": opened.commits},
    }
    return node | {"files": to_files_page(opened.files or (), 0, MAX_PAGE)} if with_files else node


def to_files_page(files: tuple[ChangedFile, ...], start: int, count: int) -> dict[str, Any]:
    """Return the connection of files from the `start`-th on."""
    nodes = [
        {"path": file.path, "additions": file.additions, "deletions": file.deletions,
         "changeType": CHANGE_TYPE_BY_STATUS[file.status]}
        for file in files[start:start + count]
    ]
    end = start + len(nodes)
    return {
        "totalCount": len(files), "nodes": nodes,
        "pageInfo": {"hasNextPage": end < len(files), "endCursor": encode_cursor(end) if nodes else None},
    }


def to_rest_pull_request(record: PullRequestRecord, origin: str, is_whole: bool) -> dict[str, Any]:
    """Return a record as REST does: a list leaves out what has to be counted."""
    shown, opened = to_rest_json(record), record.pull_request
    outcome = {
        "url": f"{origin}/repos/{opened.repository}/pulls/{opened.number}",
        "state": "closed" if record.outcome.closed_at else "open", "merged": record.outcome.is_merged,
    }
    hidden = {"files", "is_cross_repository"} | (
        set() if is_whole else {"additions", "deletions", "changed_files", "commits"})
    return {name: value for name, value in (shown | outcome).items() if name not in hidden}


def to_rest_file(file: ChangedFile) -> dict[str, Any]:
    """Return a file as REST's list of files does, without its patch."""
    shown = {"filename": file.path, "status": file.status, "additions": file.additions, "deletions": file.deletions,
             "changes": file.additions + file.deletions}
    return shown | ({} if file.previous_path is None else {"previous_filename": file.previous_path})


def graphql_error(kind: str | None, message: str, path: list[Any] | None = None) -> dict[str, Any]:
    """Return one entry of a GraphQL answer's `errors`."""
    entry: dict[str, Any] = {"message": message}
    return entry | ({"type": kind} if kind else {}) | ({"path": path} if path else {})
