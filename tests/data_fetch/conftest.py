"""Settings of the first stage on a database of its own, and a simulated GitHub of many repositories."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace

import pytest

from data_fetch.settings import DataFetchSettings
from sentinel.sources.simulated import FaultPlan, SimulatedGitHub, SimulatedRepository, serve
from sentinel.sources.simulated.layouts import HARBOUR

TOKEN = "ghp_" + "simulated0" * 4


@pytest.fixture
def settings(mongodb_uri, mongodb_database) -> Callable[..., DataFetchSettings]:
    def make(*sources: object, **given: object) -> DataFetchSettings:
        return DataFetchSettings(mongodb_uri=mongodb_uri, mongodb_database=mongodb_database, sources=sources, **given)

    return make


@pytest.fixture
def serve_github() -> Iterator[Callable[..., tuple[SimulatedGitHub, str]]]:
    """Return a function that serves repositories with so many pull requests each: (what is served, its address)."""
    with ExitStack() as stack:
        def start(counts: Mapping[str, int], plan: FaultPlan = FaultPlan()) -> tuple[SimulatedGitHub, str]:
            repositories = [SimulatedRepository(replace(HARBOUR, repository=name), 7, count)
                            for name, count in counts.items()]
            github = SimulatedGitHub(repositories, TOKEN, plan)
            return github, stack.enter_context(serve(github))
        yield start
