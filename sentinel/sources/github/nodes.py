"""Pull requests as an answer of GraphQL shows them: what is wrong with single ones, and all their files."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sentinel.errors import NotFoundError, RecordError
from sentinel.logs import get_logger
from sentinel.pull_request import MAX_FILES
from sentinel.sources.github.client import GitHubClient, GraphqlAnswer
from sentinel.sources.github.limits import OverloadedError, node_of, shown
from sentinel.sources.github.query import FILES

# Null is a legal value of the first three, and files can be had by REST.
FORGIVEN_FIELDS = frozenset({"headRepository", "author", "mergeCommit", "files"})
TRIES_BY_REST = 3


@dataclass(frozen=True, slots=True)
class Nodes:
    """The pull requests of one answer; `problems` tells by place what GitHub could not tell."""

    nodes: list[Any]
    problems: Mapping[int, str]
    end_cursor: str | None
    has_more: bool
    total: int
    server_time: datetime


def read_nodes(answer: GraphqlAnswer) -> Nodes:
    """Take the page of pull requests out of an answer."""
    found = answer.data["repository"]["pullRequests"]
    problems = {place: "GitHub gave null for it" for place, node in enumerate(found["nodes"]) if node is None}
    for error in answer.errors:
        place, field = node_of(error), error["path"][4:5]
        if place is not None and not (field and field[0] in FORGIVEN_FIELDS):
            problems[place] = f"GitHub could not tell all of it: {shown(str(error.get('message')))}"
    page = found["pageInfo"]
    return Nodes(found["nodes"], problems, page["endCursor"], page["hasNextPage"], found["totalCount"],
                 answer.server_time)


def updated_at(node: Any) -> datetime | None:
    """Return when a pull request was updated, or None where the node does not tell."""
    try:
        return datetime.fromisoformat(node["updatedAt"]).astimezone(UTC)
    except (TypeError, KeyError, ValueError):
        return None


def with_all_files(client: GitHubClient, node: Mapping[str, Any], repository: str) -> dict[str, Any]:
    """Return a node with all its files, asked for where the answer has the first 100 or none."""
    files, number = node.get("files"), node["number"]
    if not isinstance(files, dict):
        return dict(node, files=_files_by_rest(client, repository, number))
    if not files["pageInfo"]["hasNextPage"]:
        return dict(node)
    more = _more_files(client, repository, number, files["pageInfo"]["endCursor"])
    return dict(node, files={"nodes": [*files["nodes"], *more]})


def _more_files(client: GitHubClient, repository: str, number: int, after: str) -> list[Any]:
    """Return the files behind the first 100, up to as many as REST would give."""
    owner, name = repository.split("/")
    nodes: list[Any] = []
    failures, has_more = 0, True
    while has_more and len(nodes) < MAX_FILES:
        variables = {"owner": owner, "name": name, "number": number, "after": after}
        try:
            answer = client.query(FILES, "Files", variables, f"the files of {repository}#{number}")
        except OverloadedError as error:
            failures += 1
            client.back_off(failures, error)
            continue
        except NotFoundError as error:
            raise RecordError(f"deleted while it was read: {error}") from error
        files = answer.data["repository"]["pullRequest"]["files"]
        nodes += files["nodes"]
        after, has_more = files["pageInfo"]["endCursor"], files["pageInfo"]["hasNextPage"]
    return nodes


def _files_by_rest(client: GitHubClient, repository: str, number: int) -> dict[str, Any] | None:
    """Return the files that GraphQL could not give; None where REST cannot either."""
    what = f"the files of {repository}#{number}"
    for failures in range(1, TRIES_BY_REST + 1):
        try:
            items = client.get_list(f"/repos/{repository}/pulls/{number}/files?per_page=100", what)
            return {"nodes": [_to_graphql_file(item) for item in items]}
        except NotFoundError as error:
            raise RecordError(f"deleted while it was read: {error}") from error
        except OverloadedError as error:
            client.back_off(failures, error)
    get_logger().warning("github.files_unknown", pull_request=f"{repository}#{number}")
    return None


def _to_graphql_file(item: Mapping[str, Any]) -> dict[str, Any]:
    status = str(item.get("status"))
    return {"path": item.get("filename"), "additions": item.get("additions"), "deletions": item.get("deletions"),
            "changeType": {"removed": "DELETED"}.get(status, status.upper())}
