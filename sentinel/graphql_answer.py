"""The shape of a pull request in GitHub's GraphQL answers, turned into its REST shape."""

from collections.abc import Mapping
from typing import Any

FILE_STATUS_BY_CHANGE_TYPE = {
    "ADDED": "added", "DELETED": "removed", "MODIFIED": "modified",
    "RENAMED": "renamed", "COPIED": "copied", "CHANGED": "changed",
}


def is_graphql_node(payload: Mapping[str, Any]) -> bool:
    """Tell a GraphQL node from a REST object: only the first writes camelCase."""
    return "createdAt" in payload and "created_at" not in payload


def to_rest_shape(node: Mapping[str, Any]) -> dict[str, Any]:
    """Return the node's fields under their REST names and as REST writes them; the parser checks their types."""
    files = _part(node, "files").get("nodes")
    return {
        "number": node.get("number"),
        "title": node.get("title"),
        "body": None if node.get("body") == "" else node.get("body"),
        "user": _user(_part(node, "author")),
        "created_at": node.get("createdAt"),
        "updated_at": node.get("updatedAt"),
        "merged_at": node.get("mergedAt"),
        "closed_at": node.get("closedAt"),
        "merge_commit_sha": _part(node, "mergeCommit").get("oid"),
        "base": {"ref": node.get("baseRefName"), "repo": _repository(node, "baseRepository")},
        "head": {
            "ref": node.get("headRefName"),
            "sha": node.get("headRefOid"),
            "repo": _repository(node, "headRepository"),
        },
        "is_cross_repository": node.get("isCrossRepository"),
        "commits": _part(node, "commits").get("totalCount"),
        "additions": node.get("additions"),
        "deletions": node.get("deletions"),
        "changed_files": node.get("changedFiles"),
        "files": [_file(file) for file in files] if isinstance(files, list) else None,
    }


def _user(author: Mapping[str, Any]) -> dict[str, Any]:
    """Return the author; REST ends the login of a bot in [bot], GraphQL does not."""
    login, kind = author.get("login"), author.get("__typename")
    if kind == "Bot" and isinstance(login, str):
        login = f"{login.removesuffix('[bot]')}[bot]"
    return {"login": login, "type": kind}


def _part(node: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    value = node.get(field)
    return value if isinstance(value, Mapping) else {}


def _repository(node: Mapping[str, Any], field: str) -> dict[str, Any] | None:
    name = _part(node, field).get("nameWithOwner")
    return None if name is None else {"full_name": name}


def _file(file: Any) -> Any:
    if not isinstance(file, Mapping):
        return file
    return {
        "filename": file.get("path"),
        "status": FILE_STATUS_BY_CHANGE_TYPE.get(str(file.get("changeType"))),
        "additions": file.get("additions"),
        "deletions": file.get("deletions"),
    }
