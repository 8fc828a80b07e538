"""Which processes live."""

import time
from collections.abc import Callable
from pathlib import Path

from tests.patience import PATIENCE_SECONDS


def lives(process: int) -> bool:
    """Tell whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for something that happens by itself; fail when it does not."""
    patience = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < patience, "waited in vain"
        time.sleep(0.01)
