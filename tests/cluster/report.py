"""The report of the loop: one row a step, with what was seen and how long it took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Report:
    """Steps in order, written to a file after each, so that a broken run leaves what it saw."""

    def __init__(self, path: Path) -> None:
        """Begin an empty report."""
        self._path, self._rows = path, list[tuple[str, float, str]]()
        self._started = time.monotonic()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._write()

    @contextmanager
    def step(self, name: str) -> Iterator[list[str]]:
        """Time a step; what it appends to the list is what was seen."""
        seen: list[str] = []
        started = time.monotonic()
        try:
            yield seen
        except BaseException as error:
            seen.append(f"FAILED: {str(error).splitlines()[0] if str(error) else type(error).__name__}")
            raise
        finally:
            self._rows.append((name, time.monotonic() - started, " ".join("; ".join(seen).replace("|", "/").split())))
            self._write()

    def _write(self) -> None:
        lines = ["# The whole loop on a trial cluster", "",
                 f"{time.strftime('%Y-%m-%d %H:%M')} UTC, {time.monotonic() - self._started:.0f} s in all", "",
                 "| step | seconds | seen |", "|---|---:|---|"]
        lines += [f"| {name} | {seconds:.1f} | {seen} |" for name, seconds, seen in self._rows]
        self._path.write_text("\n".join(lines) + "\n")
