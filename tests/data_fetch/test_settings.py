"""What to read and who asks, from the environment and from the command line."""

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
    for name in ("SENTINEL_SOURCES", "SENTINEL_REPOSITORIES", *APP):
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

    with pytest.raises(SettingsError, match="a github app needs all three") as caught:
        load_settings(DataFetchSettings)

    assert "secret" not in str(caught.value)
