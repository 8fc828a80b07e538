"""The scorer as a child: start it, say where it answers, stay with it."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sentinel.command.child import Child, Program, running
from sentinel.command.data_folder import DataFolder
from sentinel.command.interruption import Terminated
from sentinel.command.pipeline import FATAL_SIGNAL, TRY_AGAIN, StageFailedError, failure_of
from sentinel.command.ports import HOST
from sentinel.command.stage_status import StageStatus, parse_event, with_event

READY_SECONDS, STOP_SECONDS = 120.0, 10.0
BUG = 1  # also of a scorer that ends by itself as if all were well


@contextmanager
def ready_scorer(program: Program, data: DataFolder, logs: Path) -> Iterator[Child]:
    """Start the scorer and wait until it is ready; stop it at the end.

    Raises StageFailedError when it ends, finds no model that it can use, or takes longer than READY_SECONDS.
    """
    with running(program, logs) as child:
        try:
            _wait_until_ready(program, child, data)
            yield child
        finally:
            if not child.has_ended():
                child.stop(signal.SIGTERM, STOP_SECONDS)


def _wait_until_ready(program: Program, child: Child, data: DataFolder) -> None:
    status = StageStatus(program.name)
    impatience = threading.Timer(READY_SECONDS, child.kill)
    impatience.start()
    try:
        for line in child.lines():
            event = parse_event(line)
            status = with_event(status, event)
            if event.get("event") == f"{program.name}.ready":
                return
            if event.get("event") == f"{program.name}.not_ready":  # it would stay, and look for a model for ever
                raise StageFailedError(f"{program.name} has no model to serve: {event.get('text')}\n"
                                       f"everything it said: {data.shown(child.log)}", TRY_AGAIN)
    finally:
        impatience.cancel()
    code = child.wait() or BUG
    if code == FATAL_SIGNAL + signal.SIGKILL:
        raise StageFailedError(f"{program.name} was not ready after {READY_SECONDS:.0f} seconds, or was killed\n"
                               f"everything it said: {data.shown(child.log)}", TRY_AGAIN)
    raise failure_of(status, code, child, data)


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
            raise failure_of(status, child.wait() or BUG, child, data)
        finally:
            data.scorer_address.unlink(missing_ok=True)
