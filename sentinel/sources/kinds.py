"""Open a source of pull requests by its URI.

Each kind is imported when it is asked for: reading a file needs no HTTP client.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sentinel.errors import RecordError, SettingsError
from sentinel.pull_request import check_repository
from sentinel.sources.page import Source

KINDS = """
  github:OWNER/NAME   a repository on GitHub, for example github:pallets/flask
  github:OWNER/*      all repositories of an organisation or a person, for example github:pallets/*
  git:PATH            a clone on this machine, bare or not, for example git:../flask
  jsonl:PATH          a file or folder of JSON lines, plain or gzip'd, for example jsonl:pull-requests.jsonl.gz
  simulated:          a made-up history with planted oddities, served on this machine"""


@contextmanager
def open_source(uri: str, settings: Any) -> Iterator[Source]:
    """Open the source that `uri` names; `settings` are those of data_fetch.

    Raises SettingsError for a URI of no known kind, NotFoundError when nothing is there.
    """
    kind, colon, name = uri.partition(":")
    if kind == "jsonl" and name:
        from sentinel.sources.jsonl import JsonLinesSource
        yield JsonLinesSource(Path(name))
    elif kind == "git" and name:
        from sentinel.sources.git_history import open_git_history
        with open_git_history(Path(name), settings) as source:
            yield source
    elif kind == "github" and name:
        from sentinel.sources.github.connection import open_connection
        repository = _checked_repository(uri, name)
        with open_connection(settings) as github, github.open_source(repository) as source:
            yield source
    elif kind == "simulated" and colon and not name:
        from sentinel.sources.simulated import open_simulated
        with open_simulated(settings) as source:
            yield source
    else:
        raise SettingsError(f"source {uri!r} is of no known kind; expected one of:{KINDS}")


def repository_on_github(uri: str) -> str | None:
    """Return OWNER/NAME or OWNER/* of a `github:` URI, None for another kind; raises SettingsError."""
    kind, _, name = uri.partition(":")
    return _checked_repository(uri, name) if kind == "github" and name else None


def _checked_repository(uri: str, name: str) -> str:
    try:
        return check_repository(name)
    except RecordError as error:
        raise SettingsError(f"source {uri!r}: {error}, for example github:pallets/flask") from error
