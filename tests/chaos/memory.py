"""Memory that ends: a control group of Linux, in which the system kills with -9 (a container's 137)."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

GROUPS = Path("/sys/fs/cgroup")
# Version 1 of control groups, then version 2: where groups are made, the limit, and the most that was used.
KINDS = ((GROUPS / "memory", "memory.limit_in_bytes", "memory.max_usage_in_bytes"),
         (GROUPS, "memory.max", "memory.peak"))


@dataclass(frozen=True)
class MemoryGroup:
    """A group that is there as long as the block that made it."""

    folder: Path
    peak_file: str

    @property
    def peak_bytes(self) -> int:
        """Return the most that the group has used."""
        return int((self.folder / self.peak_file).read_text())

    def join(self) -> None:
        """Put this process and what it starts into the group."""
        (self.folder / "cgroup.procs").write_text(str(os.getpid()))


@contextmanager
def memory_group(limit_bytes: int | None = None) -> Iterator[MemoryGroup]:
    """Make a group; the test is skipped where this machine does not let us."""
    for parent, limit_file, peak_file in KINDS:
        folder = parent / f"sentinel-{uuid4().hex[:8]}"
        try:
            folder.mkdir()
        except OSError:
            continue
        try:
            if (folder / limit_file).exists() and (folder / peak_file).exists():
                if limit_bytes is not None:
                    (folder / limit_file).write_text(str(limit_bytes))
                yield MemoryGroup(folder, peak_file)
                return
        finally:
            folder.rmdir()
    pytest.skip("this machine lets nobody make a control group for memory")
