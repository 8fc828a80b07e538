"""The loop on a trial cluster runs only when it is asked for: `make cluster-test`."""

import pytest

CLUSTER = "cluster"


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", f"{CLUSTER}: needs a trial cluster; run only by `make cluster-test`")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the cluster's tests out, unless they are asked for."""
    if CLUSTER not in config.option.markexpr:
        left_out = [item for item in items if item.get_closest_marker(CLUSTER)]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
