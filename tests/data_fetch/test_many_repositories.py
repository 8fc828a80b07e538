"""Many repositories of a simulated GitHub into a real server."""

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from data_fetch.fetch_github_data import fetch_all
from sentinel.errors import NotFoundError, PermissionDeniedError
from sentinel.mongo import open_pull_request_store, to_document
from sentinel.sources.simulated import FaultPlan
from tests.data_fetch.conftest import TOKEN

NAMES = ("saltmarsh/ferry", "saltmarsh/jetty", "saltmarsh/pier")


@pytest.fixture
def fetch(settings):
    def run(address: str, *repositories: str, token: str = TOKEN, **given: object) -> dict:
        wanted = settings(repositories=repositories, github_api_url=address, github_token=SecretStr(token), **given)
        return fetch_all(wanted)

    return run


@pytest.fixture
def stored(settings):
    def read() -> dict[str, str]:
        with open_pull_request_store(settings("simulated:")) as store:
            return {key: content_hash for _, key, content_hash in store.content_hashes()}

    return read


def held(github) -> dict[str, str]:
    documents = [to_document(record) for one in github.repositories.values() for record in one.records()]
    return {document["_id"]: document["content_hash"] for document in documents}


def test_all_repositories_are_stored_and_counted(serve_github, fetch, stored):
    github, address = serve_github(dict(zip(NAMES, (250, 130, 20), strict=True)))

    facts = fetch(address, *NAMES)

    assert held(github) == stored()
    assert (3, 0, 400, 6) == (facts["sources"], facts["failed"], facts["new"], facts["pages"])
    assert facts["requests"] >= facts["points"] >= 6


def test_second_run_asks_each_repository_once_and_writes_nothing(serve_github, fetch):
    _, address = serve_github(dict.fromkeys(NAMES, 130))
    fetch(address, *NAMES)

    facts = fetch(address, *NAMES)

    assert (True, 3) == (facts["wrote_nothing"], facts["requests"])


def test_account_stands_for_all_its_repositories(serve_github, fetch, stored):
    github, address = serve_github({f"saltmarsh/boat-{number}": 3 for number in range(130)})

    facts = fetch(address, "saltmarsh/*", "saltmarsh/boat-7")

    assert 130 == facts["sources"]
    assert held(github) == stored()


def test_failing_repositories_are_named_and_the_others_stored(serve_github, fetch, stored):
    github, address = serve_github({NAMES[0]: 130})

    with capture_logs() as events, pytest.raises(NotFoundError, match="saltmarsh/gone") as caught:
        fetch(address, "saltmarsh/gone", NAMES[0], "nobody/*")

    assert "nobody" in str(caught.value)
    assert ["github:nobody/*", "github:saltmarsh/gone"] == [
        one["source"] for one in events if one["event"] == "data_fetch.source_failed"]
    assert held(github) == stored()


def test_short_repository_is_read_while_a_long_one_is_not_at_its_end(serve_github, fetch):
    _, address = serve_github({NAMES[0]: 1_500, NAMES[1]: 20})

    with capture_logs() as events:
        fetch(address, NAMES[0], NAMES[1], github_readers=1)

    read = [one["source"] for one in events if one["event"] == "data_fetch.source_read"]
    assert ["github:saltmarsh/jetty", "github:saltmarsh/ferry"] == read


def test_limit_met_by_one_repository_holds_for_all(serve_github, fetch, stored):
    github, address = serve_github(dict.fromkeys(NAMES, 130), FaultPlan(points=4, reset_seconds=2))

    fetch(address, *NAMES)

    assert held(github) == stored()


def test_wrong_token_is_permission_to_fix(serve_github, fetch):
    _, address = serve_github({NAMES[0]: 5})

    with pytest.raises(PermissionDeniedError, match="GitHub answered 401.*make a new one and set GITHUB_TOKEN"):
        fetch(address, NAMES[0], token="ghp_wrong")
