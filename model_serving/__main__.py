"""Serve the scorer: `python -m model_serving [--host HOST] [--port N] [--workers N]`."""

import argparse
import ctypes
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from model_serving.refresh import COPY_OPTION, finish_copying, must_look_first, start_copying
from model_serving.settings import ServingSettings
from sentinel.errors import FixNeededError
from sentinel.settings import load_settings
from sentinel.stage import exit_with, run_stage

STAGE = "model_serving"
PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the scorer, or copy the champion once, and return the exit code."""
    given = _parse(arguments)
    return run_stage(STAGE, partial(serve if given.copy_champion is None else copy_once, given))


def serve(given: argparse.Namespace) -> Mapping[str, Any]:
    """Take the port, load the champion, and serve until a signal; raises FixNeededError for a port in use.

    A copy from before serves at once, and the workers look for a newer one beside their requests.
    """
    settings = load_settings(ServingSettings, host=given.host, port=given.port, workers=given.workers)
    listener = open_listener(settings.host, settings.port)
    settings = settings.model_copy(update={"port": listener.getsockname()[1]})
    copying = start_copying(settings) if must_look_first(settings) else None
    with tempfile.TemporaryDirectory(prefix="sentinel-metrics-") as metrics_folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = metrics_folder  # prometheus_client reads it when imported
        from model_serving.scorer import Scorer
        from model_serving.server import Server  # imported while the champion is being copied
        scorer = Scorer(settings.champion_folder)
        server = Server(settings, scorer, listener, metrics_folder)
        if copying is not None:
            finish_copying(settings, copying)
        scorer.load()
        server.run()
    return {"port": settings.port}


def copy_once(given: argparse.Namespace) -> Mapping[str, Any]:
    """Copy the champion to this machine and end; the scorer runs this as its own process."""
    _end_with_parent(given.copy_champion)  # before anything that may wait, such as for Vault
    settings = load_settings(ServingSettings)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.alarm(int(settings.fetch_budget_seconds) + 1)
    from model_serving.champion import copy_champion  # MLflow takes two seconds to import, and much memory
    return {"copy": copy_champion(settings)}


def open_listener(host: str, port: int) -> socket.socket:
    """Return a socket bound to the port; raises FixNeededError where that is not possible."""
    try:
        [(family, kind, protocol, _, address), *_] = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        raise FixNeededError(f"cannot listen on port {port} of {host}: {error.strerror}; stop what listens there, "
                             "or choose another with --port N (0 takes a free one)") from error
    return listener


def _end_with_parent(parent: int) -> None:
    """Let the system end this process with the one that waits for it; 0 means nobody does."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if parent and os.getppid() != parent:  # it ended before this line
        os.kill(os.getpid(), signal.SIGKILL)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=f"python -m {STAGE}", description=__doc__)
    parser.add_argument("--host", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, help="port to listen on (8080); 0 takes a free one")
    parser.add_argument("--workers", type=int, help="worker processes (2)")
    parser.add_argument(COPY_OPTION, type=int, nargs="?", const=0, metavar="PROCESS",
                        help="copy the champion to this machine, then end; end as well when that process does")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    exit_with(main())
