"""Whose turn it is: a worker answers in the order of arrival, and turns away who came too long ago."""

import socket
import struct
import time

TCP_INFO_BYTES, LAST_DATA_RECEIVED = 56, 52  # linux/tcp.h, struct tcp_info: tcpi_last_data_recv, in milliseconds
ONE_LATE_OF = 4  # is answered; to turn away costs a third of an answer, so half of the time still goes into answers


class Turns:
    """The queue of one worker, which begins in the listening socket of the system."""

    def __init__(self) -> None:
        """Begin without a wait."""
        self.wait_seconds = 0.0  # of the request that has its turn now
        self._n_late = 0

    def take(self, connection: socket.socket) -> None:
        """Return when all that is ready has had its turn, and measure how long this request has waited."""
        began = time.monotonic()
        time.sleep(0)
        self.wait_seconds = max(_since_arrival(connection), time.monotonic() - began)

    def is_refused(self, most_seconds: float, is_small: bool) -> bool:
        """Tell whether the request that has its turn waited longer than `most_seconds`, and must come again.

        Where there is no end of late ones, some small requests are answered all the same: to refuse all would take
        all the time, and nobody were answered.
        """
        if self.wait_seconds <= most_seconds:
            return False
        self._n_late += 1
        return not is_small or self._n_late % ONE_LATE_OF != 0


def _since_arrival(connection: socket.socket) -> float:
    """Return the seconds since the last bytes came, the wait for being accepted included; 0 where nobody knows."""
    try:
        known = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_BYTES)
    except (OSError, AttributeError):  # another system than Linux, or a socket that is not TCP
        return 0.0
    return struct.unpack_from("=I", known, LAST_DATA_RECEIVED)[0] / 1_000 if len(known) == TCP_INFO_BYTES else 0.0
