"""Faults run only when they are asked for: `make chaos`. Each test tells what was seen by `record_property`."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.chaos.fault_proxy import FaultProxy
from tests.chaos.processes import MlflowServer
from tests.data_fetch.killable import KillableMongo

SEED = int(os.environ.get("SENTINEL_CHAOS_SEED", "0"))


@pytest.fixture
def seen(record_property: Callable[[str, object], None]) -> Callable[..., None]:
    """Return what keeps figures for the table of `make chaos`."""
    def tell(**figures: object) -> None:
        for name, figure in figures.items():
            record_property(name, figure)

    return tell


@pytest.fixture
def proxy() -> Iterator[Callable[[int], FaultProxy]]:
    """Return what puts a network that fails before a port of this machine."""
    proxies: list[FaultProxy] = []

    def make(port: int) -> FaultProxy:
        proxies.append(FaultProxy(port))
        return proxies[-1]

    yield make
    for one in proxies:
        one.close()


@pytest.fixture(scope="module")
def mongo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KillableMongo]:
    """Run an embedded server for one module."""
    server = KillableMongo(tmp_path_factory.mktemp("mongo"))
    yield server
    server.kill()


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    """Run a tracking server for one module."""
    server = MlflowServer(tmp_path_factory.mktemp("mlflow"))
    yield server
    server.kill()


@pytest.fixture
def objects(tmp_path: Path) -> Path:
    """Return the folder of an object store of this test."""
    return tmp_path / "objects"


@pytest.fixture
def environment(mongo: KillableMongo, mongodb_database: str, objects: Path) -> dict[str, str]:
    """Return the variables of a stage with a database and a store of its own."""
    return {"MONGODB_URI": mongo.uri, "SENTINEL_MONGODB_DATABASE": mongodb_database,
            "SENTINEL_MONGODB_BUDGET_SECONDS": "6", "SENTINEL_OBJECT_STORE_URI": objects.as_uri(),
            "SENTINEL_PULL_REQUESTS_PER_PARTITION": "100"}
