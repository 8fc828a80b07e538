"""How long requests wait for a worker before their turn comes.

They wait in two places: open connections until the worker comes round to them, which shows in how late it wakes a
sleeper, and new ones in the listening socket's queue, as a worker accepts one connection at each turn.
"""

import socket
import struct
import time
from collections.abc import Callable

EVERY_SECONDS = 0.05
SHORT_QUEUE = 16  # connections; so many may come at once without anybody having to wait
TCP_INFO_UNACCEPTED = struct.Struct("24xI")  # linux/tcp.h, tcp_info: tcpi_unacked is the queue of a listening socket


class Load:
    """The wait of the last moment: what is now turned away would wait as long as that."""

    def __init__(self) -> None:
        """Begin without a wait."""
        self.wait_seconds = 0.0
        self._late_before = 0.0
        self._short_at = time.monotonic()  # when the queue was last seen short

    def watch(self, count_waiting: Callable[[], int]) -> None:
        """Measure for ever; run it beside the requests of one worker."""
        while True:
            began = time.monotonic()
            time.sleep(EVERY_SECONDS)
            self.note(time.monotonic(), time.monotonic() - began - EVERY_SECONDS, count_waiting())

    def note(self, now: float, late_seconds: float, n_waiting: int) -> None:
        """Take in how late a sleeper woke and how many connections wait to be accepted.

        One late wake is a long request, or a machine with other work; two in a row are a queue.
        """
        if n_waiting <= SHORT_QUEUE:
            self._short_at = now
        self.wait_seconds = max(0.0, min(late_seconds, self._late_before), now - self._short_at)
        self._late_before = late_seconds


def count_waiting(listener: socket.socket) -> int:
    """Return how many connections wait to be accepted; 0 where the system does not tell."""
    try:
        content = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_UNACCEPTED.size)
        return int(TCP_INFO_UNACCEPTED.unpack(content)[0])
    except (AttributeError, OSError, struct.error):
        return 0
