"""Ports of this machine: a free one, and whether one is taken."""

import socket

from sentinel.errors import FixNeededError

HOST = "127.0.0.1"
CONNECT_SECONDS = 1.0


def free_port() -> int:
    """Return a port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def check_port_is_free(port: int) -> None:
    """Raise FixNeededError where a server could not listen on `port`."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise FixNeededError(
                f"cannot serve on port {port} of {HOST}: {error.strerror}; stop what listens there, "
                "or choose another with --port N, or leave the scorer out with --no-serve") from error


def listens(port: int) -> bool:
    """Tell whether somebody listens on `port`."""
    with socket.socket() as probe:
        probe.settimeout(CONNECT_SECONDS)
        return probe.connect_ex((HOST, port)) == 0
