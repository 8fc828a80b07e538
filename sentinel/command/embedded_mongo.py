"""The embedded server that speaks MongoDB's protocol, for one machine: nx-27017 over SQLite."""

import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sentinel.command.child import Child, Program, running
from sentinel.command.data_folder import DataFolder
from sentinel.command.ports import HOST, free_port, listens
from sentinel.errors import UnavailableError

NAME = "mongodb"
# The server logs every command at the level info, which costs more than it tells.
START = "import logging, sys; logging.disable(logging.INFO); from nx_27017 import main; sys.exit(main())"
START_TRIES, START_SECONDS, POLL_SECONDS = 3, 20.0, 0.02
STOP_SECONDS = 5.0


@contextmanager
def embedded_mongo(data: DataFolder, environment: Mapping[str, str]) -> Iterator[str]:
    """Yield the URI of a server over `DIR/mongodb.db`, which is gone at the end.

    The caller holds the lock of the folder, so a process file that is still there is a dead server's.
    Raises UnavailableError where the server does not answer.
    """
    for attempt in range(START_TRIES):
        (data.path / "mongodb.pid").unlink(missing_ok=True)
        port = free_port()
        with running(_program(data, port, environment), data.logs) as child:
            if _answers(child, port):
                try:
                    yield f"mongodb://{HOST}:{port}"
                finally:
                    child.stop(signal.SIGTERM, STOP_SECONDS)
                return
    raise UnavailableError(
        f"the embedded MongoDB server does not start ({START_TRIES} tries): {_last_words(child.stderr_log)}\n"
        f"everything it said: {data.shown(child.stderr_log)}; delete {data.folder} to begin anew, "
        "or set MONGODB_URI to a server of yours")


def _program(data: DataFolder, port: int, environment: Mapping[str, str]) -> Program:
    argv = (sys.executable, "-P", "-c", START, "--db", str(data.path / "mongodb.db"), "--host", HOST, "-p", str(port),
            "--log-file", "/dev/null", "--pid-file", str(data.path / "mongodb.pid"))
    return Program(NAME, argv, environment)


def _answers(child: Child, port: int) -> bool:
    """Wait for the server's answer to a ping; False when it ended or stayed silent."""
    from pymongo import MongoClient  # while the server starts, which takes as long
    from pymongo.errors import PyMongoError

    patience = time.monotonic() + START_SECONDS
    while not listens(port):
        if child.has_ended() or time.monotonic() > patience:
            return False
        time.sleep(POLL_SECONDS)
    with MongoClient(HOST, port, timeoutMS=int(START_SECONDS * 1000)) as client:
        try:
            client.admin.command("ping")
        except PyMongoError:
            return False
    return True


def _last_words(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"
