"""Stop on SIGTERM between two pages: what is being stored is stored whole first."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from sentinel.errors import UnavailableError

GRACE_SECONDS = 15.0  # a cluster kills after 20 to 30


class StoppedError(UnavailableError):
    """Stop the whole run, not only the source in hand."""


class Stopping:
    """Turns SIGTERM into a StoppedError, put off while a page is stored."""

    def __init__(self) -> None:
        """Begin with nobody asking."""
        self._is_storing = False
        self._is_asked = False

    @contextmanager
    def listening(self) -> Iterator["Stopping"]:
        """Take over SIGTERM for the block; works in the main thread only."""
        before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGALRM)}
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGALRM, self._on_grace_over)
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def put_off(self) -> Iterator[None]:
        """Let the block come to its end first, for at most GRACE_SECONDS."""
        self._is_storing = True
        try:
            yield
        finally:
            self._is_storing = False
            signal.setitimer(signal.ITIMER_REAL, 0)
        if self._is_asked:
            self._stop()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._is_asked = True
        if not self._is_storing:
            self._stop()
        signal.setitimer(signal.ITIMER_REAL, GRACE_SECONDS)

    def _on_grace_over(self, number: int, frame: FrameType | None) -> None:
        self._stop()

    def _stop(self) -> None:
        raise StoppedError("stopped by SIGTERM; every page that was stored counts, run it again to go on")
