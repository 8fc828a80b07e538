"""Recognise a recent change that is undone, or tried again."""

from collections.abc import Iterable
from zlib import crc32

from sentinel.features.facts import Facts


def touched_of(facts: Facts) -> int:
    """Return a hash of the touched paths."""
    return _hash(sorted(file.path for file in facts.files))


def shape_of(facts: Facts) -> int:
    """Return a hash of the paths, each with its added and removed lines."""
    return _hash(sorted(f"{file.path}+{file.additions}-{file.deletions}" for file in facts.files))


def undone_shape_of(facts: Facts) -> int:
    """Return the `shape_of` a change that undoes this one."""
    return _hash(sorted(f"{file.path}+{file.deletions}-{file.additions}" for file in facts.files))


def _hash(parts: Iterable[str]) -> int:
    return crc32("\0".join(parts).encode(errors="replace"))
