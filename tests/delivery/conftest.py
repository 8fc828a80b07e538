"""What stays out of a plain run: the workflows step by step, and what needs a tool that is not there."""

from pathlib import Path

import pytest

from delivery.render import KUSTOMIZE

LONG = "long_workflows"
RENDERING = frozenset({"test_manifests.py", "test_policies.py", "test_mutations.py"})
ROOT = Path(__file__).parents[2]


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", f"{LONG}: the workflows run step by step; run only by `-m {LONG}`")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the long tests out, unless they are asked for, and what needs kustomize where there is none."""
    if not (ROOT / KUSTOMIZE).exists():
        missing = pytest.mark.skip(reason=f"no kustomize; `make {KUSTOMIZE}` builds it with Go")
        for item in items:
            if item.path.parent == Path(__file__).parent and item.path.name in RENDERING:
                item.add_marker(missing)
    if LONG not in config.option.markexpr:
        left_out = [item for item in items if item.get_closest_marker(LONG)]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
