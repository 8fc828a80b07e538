"""Live progress of the stages: bars on a terminal, plain lines anywhere else."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from sentinel.command.stage_status import StageStatus, State
from sentinel.command.stage_words import words

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

REDRAWS_PER_SECOND = 8
PLAIN_EVERY_SECONDS = 5.0
WIDE_ENOUGH_FOR_BARS = 64
BAR_WIDTH, NAME_WIDTH, CLOCK_WIDTH = 20, 16, 7
MARKS = {
    State.WAITING: ("·", "dim"), State.RUNNING: ("›", "cyan"), State.DONE: ("✓", "green"), State.FAILED: ("✗", "red"),
}


class Display(Protocol):
    """Something that shows where the stages stand."""

    def show(self, statuses: Sequence[StageStatus]) -> None:
        """Show all stages, in order; called at every change."""
        ...


class PlainDisplay:
    """One line when a stage starts, every few seconds of progress, and when it ends."""

    def __init__(self, console: "Console") -> None:
        """Print to `console`."""
        self._console = console
        self._told: dict[str, tuple[State, float]] = {}

    def show(self, statuses: Sequence[StageStatus]) -> None:
        """Print what is new since the last call."""
        for status in statuses:
            state, told_at = self._told.get(status.name, (State.WAITING, 0.0))
            is_due = status.done > 0 and time.monotonic() - told_at >= PLAIN_EVERY_SECONDS
            if status.state is not state or (status.state is State.RUNNING and is_due):
                self._told[status.name] = (status.state, time.monotonic())
                self._console.print(f"{status.name:<{NAME_WIDTH}}  {_plain_words(status)}",
                                    markup=False, highlight=False, soft_wrap=True)


class LiveDisplay:
    """A line per stage, redrawn in place."""

    def __init__(self) -> None:
        """Begin with no stage."""
        self._statuses: tuple[StageStatus, ...] = ()
        self._changed_at: dict[str, tuple[State, float]] = {}

    def show(self, statuses: Sequence[StageStatus]) -> None:
        """Keep what the next redraw shows."""
        self._statuses = tuple(statuses)
        for status in statuses:
            if self._changed_at.get(status.name, (None,))[0] is not status.state:
                self._changed_at[status.name] = (status.state, time.monotonic())

    def __rich_console__(self, console: "Console", options: object) -> Iterator["Table"]:
        """Draw the present statuses, with the clock of the running one."""
        elapsed = {name: time.monotonic() - since for name, (_, since) in self._changed_at.items()}
        yield stage_table(self._statuses, console.width, elapsed)


@contextmanager
def opened_display(console: "Console") -> Iterator[Display]:
    """Choose by what `console` is: a terminal, or a pipe or file."""
    if not console.is_terminal or console.is_dumb_terminal:
        yield PlainDisplay(console)
        return
    from rich.live import Live

    display = LiveDisplay()
    with Live(display, console=console, refresh_per_second=REDRAWS_PER_SECOND) as live:
        yield display
        live.refresh()


def stage_table(statuses: Sequence[StageStatus], width: int, elapsed: dict[str, float]) -> "Table":
    """Return a line per stage: mark, name, bar, seconds and words; without bars where it is narrow."""
    from rich.table import Table
    from rich.text import Text

    has_bars = width >= WIDE_ENOUGH_FOR_BARS
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(width=1)
    table.add_column(width=NAME_WIDTH, no_wrap=True)
    if has_bars:
        table.add_column(width=BAR_WIDTH)
    table.add_column(width=CLOCK_WIDTH, justify="right", no_wrap=True)
    table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    for status in statuses:
        mark, style = MARKS[status.state]
        name = Text(status.name, style="bold" if status.state is State.RUNNING else style)
        seconds = elapsed.get(status.name, 0.0) if status.state is State.RUNNING else status.seconds
        clock = Text("" if status.state is State.WAITING else f"{seconds:.1f} s", style="dim")
        bar = (_bar(status),) if has_bars else ()
        table.add_row(Text(mark, style=style), name, *bar, clock, Text(words(status)))
    return table


def _plain_words(status: StageStatus) -> str:
    if status.state is State.DONE:
        return f"done in {status.seconds:.1f} s: {words(status)}".removesuffix(": ")
    if status.state is State.FAILED:
        return f"failed after {status.seconds:.1f} s"
    return words(status)


def _bar(status: StageStatus) -> object:
    from rich.progress_bar import ProgressBar

    if status.state is State.WAITING:
        return ""
    if status.state is State.DONE:
        return ProgressBar(total=1, completed=1, width=BAR_WIDTH)
    is_known = bool(status.total)
    return ProgressBar(total=max(status.total or 1, status.done), completed=status.done if is_known else 0,
                       width=BAR_WIDTH, pulse=not is_known and status.state is State.RUNNING)
