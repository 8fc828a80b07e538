"""A program that runs as a child of the command, is read line by line, and never outlives it."""

import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

LEASH = Path(__file__).with_name("leash.py")
LONGEST_LINE_BYTES = 1 << 20
GONE_SECONDS = 20.0  # a killed process that stays longer hangs in the kernel


@dataclass(frozen=True, slots=True)
class Program:
    """What to run: its name for people and logs, its command line and its whole environment."""

    name: str  # "data_fetch"
    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)


class Child:
    """A running program; leave `running` to be sure that it is gone."""

    def __init__(self, program: Program, log: Path) -> None:
        """Start the program; its standard error goes to `log` with the ending .stderr."""
        self.log = log
        self.stderr_log = log.with_suffix(".stderr")
        with open(self.stderr_log, "wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(LEASH), *program.argv], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=errors, env=dict(program.environment), start_new_session=True,
            )

    def lines(self) -> Iterator[bytes]:
        """Yield what the program prints, line by line, and keep it in the log."""
        output = self._process.stdout
        assert output is not None
        with open(self.log, "ab", buffering=0) as log:
            while line := output.readline(LONGEST_LINE_BYTES):
                log.write(line)
                yield line

    def wait(self) -> int:
        """Wait for the end; return the exit code, or 128 plus the signal that killed it."""
        code = self._process.wait()
        return code if code >= 0 else 128 - code

    def has_ended(self) -> bool:
        """Tell whether the program is gone."""
        return self._process.poll() is not None

    def send_signal(self, number: int) -> None:
        """Send a signal to the program itself, not to what it started."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """Let go of the leash: the program and everything it started is killed."""
        holder: BinaryIO | None = self._process.stdin  # type: ignore[assignment]
        if holder is not None:
            holder.close()

    def stop(self, number: int, grace_seconds: float) -> None:
        """Ask the program to end with a signal, keep its last words, and kill it after the grace."""
        self.send_signal(number)
        timer = threading.Timer(grace_seconds, self.kill)
        timer.start()
        try:
            for _ in self.lines():
                pass
            self.wait()
        finally:
            timer.cancel()
            self.kill()

    def close(self) -> None:
        """Kill what still runs and wait until it is gone."""
        self.kill()
        self._process.wait(timeout=GONE_SECONDS)
        if self._process.stdout is not None:
            self._process.stdout.close()


@contextmanager
def running(program: Program, logs: Path) -> Iterator[Child]:
    """Start `program`, with its log in the folder `logs`; at the end nothing of it runs."""
    log = logs / f"{program.name}.jsonl"
    log.write_bytes(b"")
    child = Child(program, log)
    try:
        yield child
    finally:
        child.close()
