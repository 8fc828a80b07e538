"""Made-up stage programs and an empty data folder."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sentinel.command.child import Program
from sentinel.command.data_folder import DataFolder


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    """Return an empty data folder that is made."""
    folder = DataFolder(tmp_path / "state")
    folder.logs.mkdir(parents=True)
    return folder


@pytest.fixture
def program() -> Callable[..., Program]:
    """Return a maker of programs from Python code."""
    def make(code: str, name: str = "data_fetch") -> Program:
        return Program(name, (sys.executable, "-I", "-S", "-c", code), {**os.environ})

    return make
