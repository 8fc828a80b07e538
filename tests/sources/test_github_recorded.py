"""Our client of REST and our parser on answers that others recorded from GitHub itself.

They are in the npm packages @octokit/fixtures and @octokit/webhooks-examples; `make test-contracts` installs them
under build/.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import orjson
import pytest
from pydantic import SecretStr

from sentinel.errors import SettingsError
from sentinel.pull_request import parse_pull_request, to_rest_json
from sentinel.sources.github.client import GitHubClient, open_client

PACKAGES = Path(__file__).parents[2] / "build/npm/node_modules/@octokit"
SCENARIOS = PACKAGES / "fixtures/scenarios/api.github.com"
WEBHOOKS = PACKAGES / "webhooks-examples"
REPOSITORY = "/repos/octokit-fixture-org"


@pytest.fixture
def replay() -> Iterator[Callable[..., GitHubClient]]:
    """Return a function that serves a recorded scenario and returns a client of it."""
    if not SCENARIOS.exists():
        pytest.skip("recorded answers are not here; `make test-contracts` fetches them with npm")
    with ExitStack() as stack:
        def start(scenario: str, *, moved: bool = True) -> GitHubClient:
            recorded = orjson.loads((SCENARIOS / scenario / "normalized-fixture.json").read_bytes())
            address = stack.enter_context(serving(recorded, moved))
            return stack.enter_context(open_client(address, SecretStr("recorded"), 60))
        yield start


@contextmanager
def serving(recorded: list[dict[str, Any]], moved: bool) -> Iterator[str]:
    """Serve recorded answers to GET; `moved` lets their links lead to this server instead of GitHub."""
    answers = {one["path"]: one for one in recorded if one["method"] == "get"}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = answers[self.path]
            self.send_response(answer["status"])
            for name in ("link", "location", "date", "x-ratelimit-reset", "x-ratelimit-remaining"):
                value = str(answer["headers"].get(name, ""))
                if value:
                    self.send_header(name, value.replace("https://api.github.com", address) if moved else value)
            self.end_headers()
            self.wfile.write(orjson.dumps(answer["response"]))

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    address = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield address
    finally:
        server.shutdown()
        server.server_close()


def test_recorded_pages_are_followed_to_the_last(replay):
    items = list(replay("paginate-issues").get_list(f"{REPOSITORY}/paginate-issues/issues?per_page=3", "issues"))

    assert 13 == len({item["number"] for item in items})


def test_recorded_links_to_github_are_not_followed_from_elsewhere(replay):
    client = replay("paginate-issues", moved=False)

    with pytest.raises(SettingsError, match="api.github.com"):
        list(client.get_list(f"{REPOSITORY}/paginate-issues/issues?per_page=3", "issues"))


def test_recorded_rename_is_followed(replay):
    client = replay("rename-repository")
    answer = client._get(f"{client.api_url}{REPOSITORY}/rename-repository", "the repository")

    assert "octokit-fixture-org/rename-repository-newname" == orjson.loads(answer.body)["full_name"]


@pytest.fixture(scope="module")
def recorded_pull_requests() -> list[dict[str, Any]]:
    """Return the pull requests in recorded webhooks of GitHub and of its Enterprise Server, whole ones only."""
    if not WEBHOOKS.exists():
        pytest.skip("recorded webhooks are not here; `make test-contracts` fetches them with npm")
    events = [event for path in sorted(WEBHOOKS.glob("*/index.json")) for event in orjson.loads(path.read_bytes())]
    return [example["pull_request"] for event in events if event["name"] == "pull_request"
            for example in event["examples"]]


def test_recorded_pull_requests_are_read_whole(recorded_pull_requests):
    records = [parse_pull_request(payload) for payload in recorded_pull_requests]

    assert len(records) > 40
    for payload, record in zip(recorded_pull_requests, records, strict=True):
        opened = record.pull_request
        assert (payload["number"], payload["title"], payload["user"]["login"]) == (
            opened.number, opened.title, opened.author)
        assert (payload["additions"], payload["deletions"], payload["changed_files"], payload["commits"]) == (
            opened.additions, opened.deletions, opened.changed_files, opened.commits)
        assert (payload["head"]["sha"], payload["merged_at"] is not None) == (
            opened.head_sha, record.outcome.is_merged)


def test_recorded_pull_requests_come_back_from_their_stored_form(recorded_pull_requests):
    records = [parse_pull_request(payload) for payload in recorded_pull_requests]

    assert records == [parse_pull_request(to_rest_json(record)) for record in records]
