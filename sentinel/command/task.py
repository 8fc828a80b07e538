"""One task of a stage, run as a process to its end."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sentinel.command.child import Program
from sentinel.command.data_folder import DataFolder
from sentinel.command.pipeline import StageFailedError, run_stage
from sentinel.command.progress_display import opened_display
from sentinel.command.stage_status import StageStatus, State

if TYPE_CHECKING:
    from rich.console import Console


class NoDisplay:
    """Shows nothing: for tasks of a moment."""

    def show(self, statuses: Sequence[StageStatus]) -> None:
        """Do nothing."""


def run_task(program: Program) -> Mapping[str, Any]:
    """Run a task without showing its progress; return the facts of its closing line."""
    return _run(program, NoDisplay())


def run_shown_task(program: Program, console: "Console") -> Mapping[str, Any]:
    """Run a task, show how far it is, and return the facts of its closing line."""
    with opened_display(console) as display:
        return _run(program, display)


def _run(program: Program, display: Any) -> Mapping[str, Any]:
    """Raise StageFailedError in the task's own words; its log goes with it, so no place is named."""
    statuses = [StageStatus(program.name)]
    with tempfile.TemporaryDirectory(prefix="sentinel-task-") as folder:
        data = DataFolder(Path(folder))
        data.logs.mkdir()
        try:
            run_stage(program, 0, statuses, data, display)
        except StageFailedError as error:
            words = statuses[0].failure if statuses[0].state is State.FAILED else ""
            raise StageFailedError(words or _without_places(str(error)), error.exit_code) from None
    return statuses[0].facts


def _without_places(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.startswith("everything it said: "))
