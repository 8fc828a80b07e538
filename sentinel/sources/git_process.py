"""Run git to read a repository that somebody else may have written: nothing of it is executed.

No shell, no hooks, no external diff or text conversion, no pager, no transport (so that a
partial clone never fetches), no settings from our environment, no lock taken.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from sentinel.errors import (
    CorruptFileError, NotFoundError, PermissionDeniedError, SentinelError, SettingsError, UnavailableError,
)

SAFE_CONFIGURATION = (
    "core.fsmonitor=false", "core.hooksPath=/dev/null", "core.pager=cat", "core.attributesFile=/dev/null",
    "log.showSignature=false", "protocol.allow=never", "diff.orderFile=/dev/null", "core.quotePath=true",
    "diff.context=3", "diff.interHunkContext=0",  # GitHub's own; fewer lines of context would change the counts
)
STOP_SECONDS = 5.0


class MissingObjectError(CorruptFileError):
    """Name a clone in which some content is not there."""


# What git says on standard error, the error it becomes, and what to do next.
KNOWN_FAILURES: tuple[tuple[str, type[SentinelError], str], ...] = (
    ("dubious ownership", PermissionDeniedError,
     "the folder belongs to another user; allow it by: git config --global --add safe.directory {path}"),
    ("not a git repository", NotFoundError, "no git repository there; name the top folder of a clone"),
    ("unrecognized argument", SettingsError, "this git is too old; 2.31 or newer is needed"),
    ("Permission denied", PermissionDeniedError, "not allowed to read it; check its permissions"),
    ("could not fetch", CorruptFileError, "objects are missing (a partial clone); clone it again, without --filter"),
    ("not allowed", CorruptFileError, "objects are missing (a partial clone); clone it again, without --filter"),
    ("unable to read", MissingObjectError, "objects are missing or damaged; clone it again"),
)


class GitRepository:
    """A clone on this machine, bare or not."""

    def __init__(self, path: Path) -> None:
        """Find git and the folder; raises NotFoundError when one of them is not there."""
        program = shutil.which("git")
        if program is None:
            raise NotFoundError(f"git:{path}: the program git is not installed; install it, or use jsonl: or github:")
        if not path.is_dir():
            raise NotFoundError(f"git:{path}: there is no such folder; name the top folder of a clone")
        self.path = path.resolve()
        self._command = [program, "-C", str(self.path), "--no-pager"]
        self._command += [part for setting in SAFE_CONFIGURATION for part in ("-c", setting)]
        self._environment = {
            "PATH": str(Path(program).parent), "HOME": str(Path.home()), "LC_ALL": "C",
            "GIT_CEILING_DIRECTORIES": str(self.path.parent), "GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1",
            "GIT_NO_REPLACE_OBJECTS": "1", "GIT_TERMINAL_PROMPT": "0",
        }

    def ask(self, *arguments: str) -> str | None:
        """Return the one line that git answers, or None when it answers no."""
        done = subprocess.run([*self._command, *arguments], env=self._environment, stdin=subprocess.DEVNULL,
                              capture_output=True, check=False)
        if done.returncode == 0:
            return done.stdout.decode(errors="replace").strip()
        known = self._known_failure(done.stderr)
        if known is not None:
            raise known
        return None

    @contextmanager
    def stream(self, *arguments: str) -> Iterator[IO[bytes]]:
        """Run git and yield its output as it comes; git is gone when the block is left.

        Raises what git's failure means once its output is read to the end.
        """
        with tempfile.TemporaryFile() as messages, subprocess.Popen(
            [*self._command, *arguments], env=self._environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=messages,
        ) as process:
            assert process.stdout is not None
            try:
                yield process.stdout
                code = None if process.stdout.read(1) else process.wait()
            finally:
                _stop(process)
            if code:
                messages.seek(0)
                raise self._failure(code, messages.read(65_536))

    def _failure(self, code: int, messages: bytes) -> SentinelError:
        if code < 0:
            return UnavailableError(f"git:{self.path}: git was ended by signal {-code}; run this again")
        seen = _shown(messages)
        return self._known_failure(messages) or CorruptFileError(
            f"git:{self.path}: git could not read the history: {seen}; try: git -C {self.path} fsck")

    def _known_failure(self, messages: bytes) -> SentinelError | None:
        text = messages.decode(errors="replace")
        for words, kind, advice in KNOWN_FAILURES:
            if words in text:
                return kind(f"git:{self.path}: {advice.format(path=self.path)} (git says: {_shown(messages)})")
        return None


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End git, which has nothing to save."""
    assert process.stdout is not None
    process.stdout.close()
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()


def _shown(messages: bytes) -> str:
    lines = messages.decode(errors="backslashreplace").splitlines()
    return ascii(lines[0][:200]) if lines else "nothing"
