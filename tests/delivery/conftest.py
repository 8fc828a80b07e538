"""A repository with its registry for the workflows' trial; what needs a tool that is not there is skipped."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from delivery.render import KUSTOMIZE
from tests.delivery.delivering import STAGE, said
from tests.delivery.hosted import Trial, begin
from tests.delivery.registry_server import Registry, registry_server
from tests.delivery.releasing import use_programs
from tests.delivery.workflow_runner import Job

RENDERING = frozenset({"test_manifests.py", "test_policies.py", "test_mutations.py"})
ROOT = Path(__file__).parents[2]
FirstDelivery = tuple[Trial, Registry, dict[str, dict[str, Job]]]  # with the jobs of each stage's workflow, by name


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs kustomize where there is none."""
    if not (ROOT / KUSTOMIZE).exists():
        missing = pytest.mark.skip(reason=f"no kustomize; `make {KUSTOMIZE}` builds it with Go")
        for item in items:
            if item.path.parent == Path(__file__).parent and item.path.name in RENDERING:
                item.add_marker(missing)


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    """Serve one registry for all tests of this file."""
    with registry_server() as registry:
        yield registry


@pytest.fixture(scope="module")
def begun(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    """Return a repository with both branches; the tests take copies."""
    return begin(tmp_path_factory.mktemp("first"), registry)


@pytest.fixture
def made(begun: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trial:
    """Return a repository of which nothing is released."""
    made = begun.copy(tmp_path)
    made.registry.restore(Registry())
    use_programs(made, monkeypatch)
    return made


@pytest.fixture(scope="session")
def first_delivery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FirstDelivery]:
    """Release all four stages at once, and keep what the registry holds then."""
    with registry_server() as registry:
        made = begin(tmp_path_factory.mktemp("first"), registry)
        results = made.run(made.merge({"sentinel/__init__.py": '"""What all share."""\n'}))
        yield made, replace(registry), results


@pytest.fixture
def delivered(first_delivery: FirstDelivery, tmp_path: Path) -> Trial:
    """Return a repository whose four stages are released on staging."""
    made, registry, results = first_delivery
    assert ["success"] * 4 == [jobs["stage/write"].result for jobs in results.values()], said(results[STAGE])
    made.registry.restore(registry)
    copy = made.copy(tmp_path)
    copy.built()
    return copy
