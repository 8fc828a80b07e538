"""Run the stages one after the other as child processes, and show how far each came."""

import signal
import time
from collections.abc import Sequence
from dataclasses import replace

from sentinel.command.child import Child, Program, running
from sentinel.command.data_folder import DataFolder
from sentinel.command.progress_display import Display
from sentinel.command.stage_status import StageStatus, State, parse_event, with_event
from sentinel.errors import SentinelError

GRACE_SECONDS = 8.0  # from Ctrl-C to the kill: Spark takes some seconds to stop
TRY_AGAIN = 75
FATAL_SIGNAL = 128
LAST_LINES = 12


class StageFailedError(SentinelError):
    """Say in the stage's own words why it failed, and end with its exit code."""

    def __init__(self, text: str, exit_code: int) -> None:
        """Keep both."""
        super().__init__(text)
        self.exit_code = exit_code


def run_stages(programs: Sequence[Program], data: DataFolder, display: Display) -> list[StageStatus]:
    """Run `programs` in order; raise StageFailedError at the first that fails, and start no other."""
    statuses = [StageStatus(program.name) for program in programs]
    for position, program in enumerate(programs):
        run_stage(program, position, statuses, data, display)
    return statuses


def run_stage(program: Program, position: int, statuses: list[StageStatus], data: DataFolder,
              display: Display) -> None:
    """Run one program to its end; `statuses[position]` is kept up to date and shown."""
    def change(**fields: object) -> None:
        statuses[position] = replace(statuses[position], **fields)
        display.show(statuses)

    started = time.monotonic()
    change(state=State.RUNNING)
    with running(program, data.logs) as child:
        try:
            for line in child.lines():
                statuses[position] = with_event(statuses[position], parse_event(line))
                display.show(statuses)
            code = child.wait()
        except KeyboardInterrupt:
            change(state=State.FAILED, seconds=time.monotonic() - started)
            child.stop(signal.SIGINT, GRACE_SECONDS)
            raise
    change(state=State.FAILED if code else State.DONE, seconds=time.monotonic() - started)
    if code:
        raise failure_of(statuses[position], code, child, data)


def failure_of(status: StageStatus, code: int, child: Child, data: DataFolder) -> StageFailedError:
    """Say why the stage failed: its own words, else the signal, else its last lines on standard error."""
    place = f"everything it said: {data.shown(child.log)}, {data.shown(child.stderr_log)}"
    if code > FATAL_SIGNAL:
        name = signal.Signals(code - FATAL_SIGNAL).name if code - FATAL_SIGNAL in set(signal.Signals) else "unknown"
        return StageFailedError(
            f"{status.name} was killed from outside (signal {code - FATAL_SIGNAL}, {name}; often for want of memory).\n"
            f"Nothing half-written counts: run the same command again.\n{place}", TRY_AGAIN)
    text = status.failure or "\n".join(_last_lines(child)) or "it did not say why"
    return StageFailedError(f"{status.name} failed with exit code {code}:\n{text}\n{place}", code)


def _last_lines(child: Child) -> list[str]:
    return child.stderr_log.read_text(errors="replace").strip().splitlines()[-LAST_LINES:]
