"""The trial of the workflows takes a minute; only `-m long_workflows` runs it."""

import pytest

LONG = "long_workflows"


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", f"{LONG}: the workflows run step by step; run only by `-m {LONG}`")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the long tests out, unless they are asked for."""
    if LONG not in config.option.markexpr:
        left_out = [item for item in items if item.get_closest_marker(LONG)]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
