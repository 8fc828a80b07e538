"""What is done about GitHub's limits and failures, and where the token may go."""

import time
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr

from sentinel.errors import PermissionDeniedError, SettingsError, UnavailableError
from sentinel.sources.github import client as github_client
from sentinel.sources.github import limits, open_github_at
from sentinel.sources.github.client import open_client
from sentinel.sources.github.limits import HttpAnswer, check_errors, find_wait
from sentinel.sources.simulated import FaultPlan
from sentinel.sources.simulated.faults import PASSING_FAULTS, Fault

HARBOUR = "saltmarsh/harbour"
TOKEN = "ghp_" + "simulated0" * 4
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
RESET = int(NOW.timestamp()) + 600


def answer(status: int, body: bytes = b"{}", **headers: str) -> HttpAnswer:
    return HttpAnswer(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


@pytest.mark.parametrize("kind", ["RATE_LIMITED", "RATE_LIMIT"])
def test_primary_limit_in_a_200_waits_until_the_reset(kind):
    body = b'{"errors": [{"type": "%s", "message": "API rate limit exceeded"}]}' % kind.encode()
    wait = find_wait(answer(200, body, x_ratelimit_reset=str(RESET)), NOW)

    assert ("primary rate limit", 601.0) == (wait.reason, wait.seconds)


@pytest.mark.parametrize("reset, seconds", [
    (RESET * 1000, 601.0), (RESET + 10**7, 3_901.0), (RESET - 10**7, 1.0), ("soon", None),
])
def test_reset_in_milliseconds_or_of_a_wrong_clock_is_clamped(reset, seconds):
    wait = find_wait(answer(403, x_ratelimit_remaining="0", x_ratelimit_reset=str(reset)), NOW)

    assert seconds == wait.seconds


@pytest.mark.parametrize("seen", [
    answer(403, b'{"message": "You have exceeded a secondary rate limit."}', retry_after="7"),
    answer(429, b"", retry_after="7"),
    answer(200, b'{"errors": [{"message": "You have exceeded a secondary rate limit"}]}', retry_after="7"),
    answer(403, b"<html>You have triggered an abuse detection mechanism</html>", retry_after="7"),
])
def test_secondary_limit_waits_as_long_as_github_says(seen):
    wait = find_wait(seen, NOW)

    assert ("secondary rate limit", 8.0) == (wait.reason, wait.seconds)


@pytest.mark.parametrize("seen", [
    answer(200, b'{"data": {"title": "Explain the secondary rate limit", "errors": []}}'),
    answer(200, b'{"data": {"title": "secondary rate limit"}, "errors": [{"message": "another"}]}'),
    answer(502), answer(401), answer(403, b'{"message": "Resource not accessible by personal access token"}'),
])
def test_no_limit_is_seen_where_there_is_none(seen):
    assert find_wait(seen, NOW) is None


def test_query_that_this_github_does_not_know_is_a_fault_of_ours():
    with pytest.raises(limits.SentinelError, match="older than the fields") as raised:
        check_errors([{"message": "Field 'x' doesn't exist on type 'PullRequest'"}], "octo/harbour")

    assert 1 == raised.value.exit_code


@pytest.mark.parametrize("fault", [*PASSING_FAULTS, Fault.SECONDARY, Fault.ABUSE_PAGE, Fault.RATE_LIMITED])
def test_passing_failure_is_survived(serve_github, fault):
    reader = serve_github(150, FaultPlan(by_request={2: fault}))
    reader.run()

    assert reader.is_complete
    assert reader.clock.slept


def test_answer_that_drips_is_given_up(serve_github, monkeypatch):
    monkeypatch.setattr("sentinel.sources.github.client.ANSWER_SECONDS", -1.0)
    reader = serve_github(150, FaultPlan(by_request={1: Fault.SLOW_DRIP}, drip_seconds=0.001))

    with pytest.raises(UnavailableError, match="not whole"):
        reader.run(budget_seconds=0)


def test_points_spent_mean_waiting_for_the_reset(serve_github):
    reader = serve_github(350, FaultPlan(by_request={3: Fault.RATE_LIMITED}, reset_seconds=1800))
    began = time.monotonic()
    reader.run()
    took_seconds = time.monotonic() - began

    assert reader.is_complete
    assert 1800 - took_seconds <= sum(reader.clock.slept) <= 1803  # the reset is told in whole seconds, and rounded up


def test_limit_without_a_time_is_waited_for_longer_each_time_and_five_times_at_most(serve_github):
    reader = serve_github(150, FaultPlan(always=Fault.SECONDARY))

    with pytest.raises(UnavailableError, match="after 5 waits"):
        reader.run()

    assert [60, 120, 240, 480, 960] == [int(seconds) for seconds in reader.clock.slept]


def test_limit_beyond_the_budget_is_not_waited_for(serve_github, capsys):
    reader = serve_github(350, FaultPlan(by_request={3: Fault.RATE_LIMITED}))

    with pytest.raises(UnavailableError, match="rate limit; the next try would be at 20"):
        reader.run(budget_seconds=600)

    assert ([], 75) == (reader.clock.slept, UnavailableError.exit_code)
    reader.run()
    assert reader.is_complete


@pytest.mark.parametrize("fault, text", [
    (Fault.BAD_CREDENTIALS, "wrong, expired or revoked"), (Fault.SSO_REQUIRED, "authorise the token"),
])
def test_missing_permission_is_named_at_once(serve_github, fault, text):
    reader = serve_github(150, FaultPlan(always=fault))

    with pytest.raises(PermissionDeniedError, match=text):
        reader.run()

    assert [] == reader.clock.slept


@pytest.mark.parametrize("fault", [Fault.REDIRECT_ELSEWHERE, Fault.LINK_ELSEWHERE])
def test_token_does_not_follow_links_and_redirects_to_other_hosts(serve_github, fault):
    reader = serve_github(3, FaultPlan(always=fault))

    with open_client(reader.address, SecretStr(TOKEN), 60) as client:
        with pytest.raises(SettingsError, match="elsewhere.example.invalid"):
            list(client.get_list(f"/repos/{HARBOUR}/pulls?state=all", HARBOUR))


def test_rest_follows_links_and_the_redirect_of_a_renamed_repository(serve_github):
    reader = serve_github(250)
    reader.github.rename(HARBOUR, "saltmarsh/haven")

    with open_client(reader.address, SecretStr(TOKEN), 60) as client:
        items = list(client.get_list(f"/repos/{HARBOUR}/pulls?state=all&per_page=100", HARBOUR))

    assert 250 == len({item["number"] for item in items})


@pytest.mark.parametrize("token", [None, SecretStr(""), SecretStr(" \n")])
def test_no_token_is_said_before_anything_is_asked(token):
    with pytest.raises(PermissionDeniedError, match="set GITHUB_TOKEN"):
        with open_client("https://api.github.com", token, 60):
            pass


def test_token_with_a_line_break_inside_is_refused_unseen():
    with pytest.raises(PermissionDeniedError) as raised:
        with open_client("https://api.github.com", SecretStr(f"{TOKEN}\nX-Other: 1"), 60):
            pass

    assert TOKEN not in str(raised.value)


@pytest.mark.parametrize("fault", list(Fault))
def test_token_is_in_no_log_error_or_cursor(serve_github, capsys, fault):
    reader = serve_github(3, FaultPlan(always=fault, drip_seconds=0))
    error = None
    try:
        reader.run(budget_seconds=3)
    except Exception as raised:
        error = raised

    printed = capsys.readouterr()
    said = [printed.out, printed.err, str(error), repr(error), repr(error and error.__cause__), repr(reader.cursors)]
    assert printed.out and TOKEN not in "".join(said)


def test_text_of_github_is_shown_without_tokens_and_on_one_line():
    assert "a [token] b [token]" == limits.shown(f"a\n{TOKEN} b\x1bgithub_pat_{'x' * 30}".replace("\x1b", " "))


@pytest.mark.parametrize("api_url, graphql_url", [
    ("https://api.github.com/", "https://api.github.com/graphql"),
    ("https://github.example.com/api/v3", "https://github.example.com/api/graphql"),
])
def test_graphql_lies_where_each_kind_of_github_has_it(api_url, graphql_url):
    with open_client(api_url, SecretStr(TOKEN), 60) as client:
        assert graphql_url == client.graphql_url


def test_unreachable_github_ends_with_75(free_port):
    with pytest.raises(UnavailableError, match="ConnectError"):
        with open_github_at(f"http://127.0.0.1:{free_port}", SecretStr(TOKEN), 0.05, [HARBOUR], "test:") as source:
            list(source.pages(lambda repository: None))


def test_github_that_says_nothing_is_given_up_within_the_budget(serve_github, monkeypatch):
    monkeypatch.setattr(github_client, "SILENCE_SECONDS", 1.0)
    reader = serve_github(3, FaultPlan(latency_seconds=30))

    with pytest.raises(UnavailableError, match="GitHub was silent for 1 s"):
        reader.run(budget_seconds=3)
