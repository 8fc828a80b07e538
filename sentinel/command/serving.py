"""The scorer as a child: start it, say where it answers, stay with it."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sentinel.command.child import Child, Program, running
from sentinel.command.data_folder import DataFolder
from sentinel.command.interruption import Terminated
from sentinel.command.pipeline import failure_of
from sentinel.command.ports import HOST
from sentinel.command.stage_status import StageStatus, parse_event, with_event

STOP_SECONDS = 10.0


@contextmanager
def ready_scorer(program: Program, data: DataFolder, logs: Path) -> Iterator[Child]:
    """Start the scorer and wait until it is ready; stop it at the end. Raises StageFailedError."""
    with running(program, logs) as child:
        status = StageStatus(program.name)
        try:
            for line in child.lines():
                event = parse_event(line)
                status = with_event(status, event)
                if event.get("event") == f"{program.name}.ready":
                    break
            else:
                raise failure_of(status, child.wait() or 1, child, data)
            yield child
        finally:
            if not child.has_ended():
                child.stop(signal.SIGTERM, STOP_SECONDS)


def serve(program: Program, port: int, data: DataFolder, announce: Callable[[str, float], None]) -> None:
    """Serve until Ctrl-C (raised again), SIGTERM (returns) or the scorer's own end (StageFailedError)."""
    started, address = time.monotonic(), f"http://{HOST}:{port}"
    with suppress(Terminated), ready_scorer(program, data, data.logs) as child:
        data.scorer_address.write_text(address)
        try:
            announce(address, time.monotonic() - started)
            status = StageStatus(program.name)
            for line in child.lines():
                status = with_event(status, parse_event(line))
            raise failure_of(status, child.wait() or 1, child, data)
        finally:
            data.scorer_address.unlink(missing_ok=True)
