"""A GitHub of our own: a made-up history with planted oddities, behind the used part of GitHub's API."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from pydantic import SecretStr

from sentinel.sources.page import Source
from sentinel.sources.simulated.api import SimulatedGitHub
from sentinel.sources.simulated.faults import FaultPlan
from sentinel.sources.simulated.history import SimulatedRepository
from sentinel.sources.simulated.layouts import DEFAULT_PULL_REQUESTS, HARBOUR, LAYOUTS
from sentinel.sources.simulated.oddities import KINDS_BY_REPOSITORY
from sentinel.sources.simulated.server import serve

SEED = 20261122


def make_simulated_github(token: str, plan: FaultPlan = FaultPlan(), seed: int = SEED,
                          pull_requests: dict[str, int] | None = None) -> SimulatedGitHub:
    """Make the default history, or one with other numbers of pull requests by repository.

    Repositories of other names are laid out as saltmarsh/harbour is, with nothing planted.
    """
    counts = DEFAULT_PULL_REQUESTS if pull_requests is None else pull_requests
    repositories = [
        SimulatedRepository(LAYOUTS.get(name, replace(HARBOUR, repository=name)), seed, count,
                            KINDS_BY_REPOSITORY.get(name, ()) if count >= 300 else ())
        for name, count in counts.items()
    ]
    return SimulatedGitHub(repositories, token, plan)


@contextmanager
def open_simulated(settings: Any) -> Iterator[Source]:
    """Serve the default history in a thread and open the real GitHub source on it."""
    from sentinel.sources.github import open_github_at
    token = secrets.token_hex(20)
    github = make_simulated_github(token)
    names, budget_seconds = list(github.repositories), settings.github_budget_seconds
    with serve(github) as address, \
            open_github_at(address, SecretStr(token), budget_seconds, names, "simulated:") as source:
        yield source
