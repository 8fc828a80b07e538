"""The simulated GitHub answers as strictly as the real one."""

import httpx2
import orjson
import pytest

from sentinel.pull_request import parse_pull_request
from sentinel.sources.github.query import PULL_REQUESTS
from sentinel.sources.simulated import FaultPlan
from sentinel.sources.simulated.faults import Fault

HARBOUR = "saltmarsh/harbour"
TOKEN = "ghp_" + "simulated0" * 4
VARIABLES = {"owner": "saltmarsh", "name": "harbour", "first": 10, "after": None, "field": "CREATED_AT",
             "direction": "ASC", "withFiles": True}
PLAIN = {"trust_env": False, "verify": False}  # no proxy, no certificates to load: it is the loopback


def ask(reader, token: str = TOKEN, operation: str = "PullRequests", query: str = PULL_REQUESTS, **changed):
    body = {"query": query, "operationName": operation, "variables": VARIABLES | changed}
    headers = {"Authorization": f"Bearer {token}"}
    return httpx2.post(f"{reader.address}/graphql", headers=headers, json=body, **PLAIN)


def get(reader, path: str, **query):
    headers = {"Authorization": f"token {TOKEN}"}
    return httpx2.get(f"{reader.address}/repos/{HARBOUR}{path}", headers=headers, params=query, **PLAIN)


def test_wrong_token_is_not_let_in(serve_github):
    answer = ask(serve_github(3), token="another")

    assert (401, "Bad credentials") == (answer.status_code, answer.json()["message"])


@pytest.mark.parametrize("changed, message", [
    ({"operation": "Viewer", "query": "query Viewer { viewer { login } }"}, "No operation named 'Viewer'"),
    ({"first": 200}, "exceeds the `first` limit of 100 records"),
    ({"first": 0}, "exceeds the `first` limit"),
    ({"after": "bm9uc2Vuc2U="}, "does not appear to be a valid cursor"),
    ({"field": "SIZE"}, "invalid value"),
    ({"name": "nothing"}, "Could not resolve to a Repository with the name 'saltmarsh/nothing'."),
])
def test_what_github_refuses_is_refused_in_a_200_with_errors(serve_github, changed, message):
    answer = ask(serve_github(3), **changed)

    assert 200 == answer.status_code
    assert message in answer.json()["errors"][0]["message"]


@pytest.mark.parametrize("field", ["CREATED_AT", "UPDATED_AT"])
@pytest.mark.parametrize("direction", ["ASC", "DESC"])
def test_walk_in_either_direction_gives_each_pull_request_once_in_order(serve_github, field, direction):
    reader, after, nodes = serve_github(95), None, []
    while True:
        page = ask(reader, field=field, direction=direction, after=after, withFiles=False)
        found = page.json()["data"]["repository"]["pullRequests"]
        nodes += found["nodes"]
        after = found["pageInfo"]["endCursor"]
        if not found["pageInfo"]["hasNextPage"]:
            break
    key = "createdAt" if field == "CREATED_AT" else "updatedAt"
    times = [node[key] for node in nodes]

    assert 95 == len({node["number"] for node in nodes}) == len(nodes)
    assert sorted(times, reverse=direction == "DESC") == times


def test_rest_and_graphql_tell_of_the_same_pull_request(serve_github):
    reader = serve_github(30)
    for node in ask(reader, first=30).json()["data"]["repository"]["pullRequests"]["nodes"]:
        if (node["author"] or {}).get("__typename") == "Bot":
            node["author"]["login"] += "[bot]"
        by_rest = get(reader, f"/pulls/{node['number']}").json()
        by_rest["files"] = get(reader, f"/pulls/{node['number']}/files", per_page=100).json()
        one = parse_pull_request(node | {"body": node["body"] or None}, repository=HARBOUR).pull_request
        other = parse_pull_request(by_rest | {"is_cross_repository": node["isCrossRepository"]}).pull_request

        assert one == other


def test_rest_list_is_paged_by_links_and_leaves_out_sizes(serve_github):
    reader = serve_github(45)
    first = get(reader, "/pulls", state="all", per_page=30)

    assert (30, 15) == (len(first.json()), len(get(reader, "/pulls", state="all", per_page=30, page=2).json()))
    assert 'page=2&state=all>; rel="next"' in first.headers["link"]
    assert "additions" not in first.json()[0] and "additions" in get(reader, "/pulls/1").json()


def test_points_run_out_and_are_told_in_the_headers(serve_github):
    reader = serve_github(3, FaultPlan(points=1))
    left, refused = ask(reader), ask(reader)

    assert ("0", 0) == (left.headers["x-ratelimit-remaining"], left.json()["data"]["rateLimit"]["remaining"])
    assert "RATE_LIMITED" == refused.json()["errors"][0]["type"]


def test_renamed_repository_is_found_by_its_old_name(serve_github):
    reader = serve_github(3)
    reader.github.rename(HARBOUR, "saltmarsh/haven")

    assert "saltmarsh/haven" == ask(reader).json()["data"]["repository"]["nameWithOwner"]
    assert f"{reader.address}/repos/saltmarsh/haven/pulls/1" in get(reader, "/pulls/1").headers["location"]


def test_deleted_pull_request_is_gone_everywhere(serve_github):
    reader = serve_github(3)
    reader.github.repositories[HARBOUR].remove(2)

    assert 404 == get(reader, "/pulls/2").status_code
    assert [1, 4] == [node["number"] for node in ask(reader).json()["data"]["repository"]["pullRequests"]["nodes"]]


@pytest.mark.parametrize("fault, error", [
    (Fault.RESET, httpx2.TransportError), (Fault.TRUNCATED, httpx2.RemoteProtocolError),
    (Fault.BROKEN_JSON, ValueError),
])
def test_failures_of_the_network_look_like_them(serve_github, fault, error):
    with pytest.raises(error):
        orjson.loads(ask(serve_github(3, FaultPlan(always=fault))).content)


def test_random_plan_is_a_function_of_its_seed():
    one, same, other = (FaultPlan(share=0.3, seed=seed) for seed in (5, 5, 6))
    faults = [one.fault_of(request) for request in range(1, 200)]

    assert faults == [same.fault_of(request) for request in range(1, 200)]
    assert faults != [other.fault_of(request) for request in range(1, 200)]
    assert 30 < sum(fault is not None for fault in faults) < 90
