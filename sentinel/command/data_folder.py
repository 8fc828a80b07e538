"""The folder that holds all state of one machine; safe to delete."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sentinel.errors import PermissionDeniedError, UnavailableError

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class DataFolder:
    """The places below `--data`."""

    def __init__(self, folder: Path) -> None:
        """Name the places; nothing is made yet."""
        self.folder = folder
        self.path = folder.absolute()

    @property
    def logs(self) -> Path:
        """Return the folder of the stages' logs."""
        return self.path / "logs"

    @property
    def object_store_uri(self) -> str:
        """Return the URI of features, histories and verdicts."""
        return (self.path / "objects").as_uri()

    @property
    def mlflow_uri(self) -> str:
        """Return the URI of MLflow's SQLite file."""
        return f"sqlite:///{self.path / 'mlflow.db'}"

    @property
    def scorer_address(self) -> Path:
        """Return the file that holds the address of the scorer while one is served."""
        return self.path / "scorer.address"

    def shown(self, path: Path) -> str:
        """Return a place below the folder the way the user named the folder."""
        return str(self.folder / path.relative_to(self.path))


@contextmanager
def locked(data: DataFolder) -> Iterator[None]:
    """Make the folder and keep it for this process alone, until the end or its death.

    Raises PermissionDeniedError where it cannot be written, UnavailableError where another run has it.
    """
    try:
        data.logs.mkdir(parents=True, exist_ok=True)
        handle = os.open(data.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        if error.errno in FULL:
            raise UnavailableError(f"{data.folder}: {error.strerror}; make room, then run this again") from error
        raise PermissionDeniedError(
            f"cannot write the data folder {data.folder}: {error.strerror or error}; "
            "expected a folder that this user may write; name another with --data DIR") from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UnavailableError(
                f"another `sentinel run` (process {_read(handle)}) works in {data.folder}; "
                "wait for its end or stop it, or name another folder with --data DIR") from error
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(handle)


def _read(handle: int) -> str:
    return os.pread(handle, 20, 0).decode("ascii", "replace") or "unknown"
