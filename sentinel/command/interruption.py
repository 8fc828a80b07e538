"""Signals to this process become exceptions, so that everything it started is stopped on the way out."""

import signal
from types import FrameType

INTERRUPTED, STOPPED = 130, 75


class Terminated(KeyboardInterrupt):
    """Stop as Ctrl-C does, because SIGTERM came."""


def raise_on_signals() -> None:
    """Raise KeyboardInterrupt at SIGINT and Terminated at SIGTERM, also where a shell ignores SIGINT for us."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _raise_terminated)


def _raise_terminated(number: int, frame: FrameType | None) -> None:
    raise Terminated
