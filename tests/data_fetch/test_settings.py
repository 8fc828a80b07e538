"""What to read and who asks, from the environment and from the command line."""

from datetime import UTC, datetime

import pytest

from data_fetch.__main__ import make_parser, settings_of
from data_fetch.settings import DataFetchSettings
from sentinel.errors import SettingsError
from sentinel.settings import load_settings

APP = {"SENTINEL_GITHUB_APP_ID": "42", "SENTINEL_GITHUB_APP_INSTALLATION_ID": "7",
       "SENTINEL_GITHUB_APP_PRIVATE_KEY": "-----BEGIN PRIVATE KEY-----\nsecret"}


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.setenv("MONGODB_URI", "mongodb://mongo")
    for name in ("SENTINEL_SOURCES", "SENTINEL_REPOSITORIES", "SENTINEL_SINCE", "SENTINEL_FULL", *APP):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_repositories_stand_beside_other_sources(environment):
    environment.setenv("SENTINEL_REPOSITORIES", "octo/harbour\npallets/*\n")
    environment.setenv("SENTINEL_SOURCES", "git:/srv/flask")

    assert ("git:/srv/flask", "github:octo/harbour", "github:pallets/*") == load_settings(DataFetchSettings).all_sources


@pytest.mark.parametrize("arguments, sources", [
    (["--repository", "octo/harbour", "--repository", "pallets/*"], ("github:octo/harbour", "github:pallets/*")),
    (["--source", "simulated:", "--repository", "octo/harbour"], ("simulated:", "github:octo/harbour")),
    ([], ("git:/srv/flask",)),
])
def test_command_line_replaces_what_the_environment_names(environment, arguments, sources):
    environment.setenv("SENTINEL_SOURCES", "git:/srv/flask")

    assert sources == settings_of(make_parser().parse_args(arguments)).all_sources


@pytest.mark.parametrize("missing", APP)
def test_app_is_given_whole_or_not_at_all(environment, missing):
    environment.setenv("SENTINEL_REPOSITORIES", "octo/harbour")
    for name, value in APP.items():
        environment.setenv(name, value)
    assert "42" == load_settings(DataFetchSettings).github_app_id
    environment.delenv(missing)

    with pytest.raises(SettingsError, match="a GitHub App needs all three: SENTINEL_GITHUB_APP_ID") as caught:
        load_settings(DataFetchSettings)

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("text, since", [
    ("2026-03-02", datetime(2026, 3, 2, tzinfo=UTC)),
    ("2026-03-02T09:30", datetime(2026, 3, 2, 9, 30, tzinfo=UTC)),
    ("2026-03-02T09:30:00+05:30", datetime(2026, 3, 2, 4, tzinfo=UTC)),
])
def test_since_is_a_day_or_a_time_in_utc_unless_it_says_otherwise(environment, text, since):
    environment.setenv("SENTINEL_SINCE", text)

    assert [since] * 2 == [settings_of(make_parser().parse_args(["--source", "simulated:", *arguments])).since
                           for arguments in ([], ["--since", text])]


@pytest.mark.parametrize("text", ["yesterday", "1767225600", "2026", "02.03.2026", ""])
def test_since_that_is_no_date_is_told_with_an_example(text):
    with pytest.raises(SettingsError, match="expected a date.*for example 2026-01-31"):
        settings_of(make_parser().parse_args(["--source", "simulated:", "--since", text]))


def test_since_and_full_are_not_asked_for_together():
    with pytest.raises(SettingsError, match="not both"):
        settings_of(make_parser().parse_args(["--source", "simulated:", "--since", "2026-03-02", "--full"]))


def test_help_teaches_by_example():
    text = make_parser().format_help()

    assert all(word in text for word in ("pallets/*", "--since 2026-01-31", "--full", "GITHUB_TOKEN", "MONGODB_URI",
                                         "exit codes"))
    assert max(map(len, text.splitlines())) <= 120


def test_settings_that_a_message_names_keep_their_capitals(monkeypatch):
    """Somebody will copy the name."""
    monkeypatch.setenv("MONGODB_URI", "mongodb://127.0.0.1:1")

    with pytest.raises(SettingsError, match="name at least one, or a repository in SENTINEL_REPOSITORIES") as caught:
        load_settings(DataFetchSettings)
    assert "Value error" not in str(caught.value)
