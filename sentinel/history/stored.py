"""The file of a history: a header, a checksum, and JSON squeezed by zlib; nothing is unpickled."""

import hashlib
import json
import zlib
from collections import deque
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any, TypeVar

from sentinel.errors import CorruptFileError
from sentinel.history.counts import checked_number
from sentinel.history.memory import (
    MOST_AUTHORS, MOST_PENDING, MOST_RECENT, Author, Places, RecentChange,
)

if TYPE_CHECKING:
    from sentinel.history.repository_history import RepositoryHistory

MAGIC = b"SENTINEL-HISTORY-2\n"
CHECKSUM_BYTES = 32
MOST_BYTES = 256 * 1024 * 1024  # of JSON; the largest history that the caps allow stays below

Record = TypeVar("Record", Author, Places, RecentChange)


def to_bytes(history: "RepositoryHistory") -> bytes:
    """Write a history."""
    memory = history.memory
    content = {
        "repository": history.repository, "n_opened": history.n_opened, "n_outcomes": history.n_outcomes,
        "tails_unit": history.tails.unit, "tails": history.tails.by_level(),
        "counts": {name: counts.weights for name, counts in memory.counts().items()},
        "authors": {login: list(asdict(author).values()) for login, author in memory.authors.items()},
        "look_alikes": memory.look_alikes,
        "recent": [list(asdict(change).values()) for change in memory.recent],
        "pending": [list(asdict(places).values()) for places in memory.pending],
        "mean_log_gap": memory.mean_log_gap, "gaps": memory.gaps, "last_at": memory.last_at,
    }
    packed = zlib.compress(json.dumps(content, separators=(",", ":"), allow_nan=False).encode(), 6)
    return MAGIC + hashlib.sha256(packed).digest() + packed


def from_bytes(history: "RepositoryHistory", content: bytes) -> None:
    """Fill an empty history; raises CorruptFileError where the content is no such file."""
    stored = _unpacked(content)
    try:
        _restore(history, stored)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise CorruptFileError(f"history: its parts do not fit ({type(error).__name__}: {str(error)[:80]}); "
                               "run spark_preprocess again") from error


def _unpacked(content: bytes) -> dict[str, Any]:
    if not isinstance(content, bytes) or not content.startswith(MAGIC):
        raise CorruptFileError(f"history: begins with {content[:20]!r}, expected {MAGIC!r}; "
                               "it is of another version or no history, run spark_preprocess again")
    checksum, packed = content[len(MAGIC):][:CHECKSUM_BYTES], content[len(MAGIC) + CHECKSUM_BYTES:]
    if hashlib.sha256(packed).digest() != checksum:
        raise CorruptFileError("history: the checksum does not fit; it was cut short or altered, "
                               "run spark_preprocess again")
    try:
        unpacker = zlib.decompressobj()
        text = unpacker.decompress(packed, MOST_BYTES)
        if unpacker.unconsumed_tail or not unpacker.eof:
            raise CorruptFileError(f"history: holds more than {MOST_BYTES:,} bytes or ends too early")
        stored = json.loads(text)
    except (zlib.error, ValueError, RecursionError) as error:
        raise CorruptFileError(f"history: cannot be unpacked ({type(error).__name__})") from error
    if not isinstance(stored, dict):
        raise CorruptFileError(f"history: holds {type(stored).__name__}, expected an object")
    return stored


def _restore(history: "RepositoryHistory", stored: dict[str, Any]) -> None:
    memory = history.memory
    history.repository = _text(stored["repository"])
    history.n_opened, history.n_outcomes = _whole(stored["n_opened"]), _whole(stored["n_outcomes"])
    history.tails.restore(stored["tails_unit"], stored["tails"])
    for name, counts in memory.counts().items():
        counts.restore(stored["counts"][name])
    _check_length(stored["authors"], MOST_AUTHORS)
    memory.authors = {login: _record(Author, values) for login, values in stored["authors"].items()}
    if any((len(author.hours), len(author.weekdays)) not in ((0, 0), (24, 7)) for author in memory.authors.values()):
        raise CorruptFileError("history: an author's hours are not 24, or the weekdays not 7")
    _check_length(stored["look_alikes"], MOST_AUTHORS)
    memory.look_alikes = {_text(key): _text(value) for key, value in stored["look_alikes"].items()}
    _check_length(stored["recent"], MOST_RECENT)
    for values in stored["recent"]:
        memory.remember_recent(_record(RecentChange, values))
    _check_length(stored["pending"], MOST_PENDING)
    memory.pending = deque(_record(Places, values) for values in stored["pending"])
    memory.mean_log_gap, memory.gaps = checked_number(stored["mean_log_gap"]), checked_number(stored["gaps"])
    memory.last_at = checked_number(stored["last_at"])


def _record(kind: type[Record], values: list[Any]) -> Record:
    """Build a record whose fields have the types that its class states."""
    expected = fields(kind)
    if not isinstance(values, list) or len(values) != len(expected):
        raise CorruptFileError(f"history: a {kind.__name__} has not {len(expected)} fields")
    readers = {float: checked_number, int: _whole, str: _text, list[float]: _numbers, tuple[str, ...]: _texts}
    return kind(*(readers[field.type](value) for field, value in zip(expected, values, strict=True)))


def _whole(value: Any) -> int:
    number = checked_number(value)
    if number != int(number):
        raise CorruptFileError(f"history: seen {number}, expected a whole number")
    return int(number)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise CorruptFileError(f"history: seen {type(value).__name__}, expected text")
    return value


def _numbers(value: Any) -> list[float]:
    return [checked_number(number) for number in _listed(value)]


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(_text(part) for part in _listed(value))


def _listed(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise CorruptFileError(f"history: seen {type(value).__name__}, expected a list")
    return value


def _check_length(value: Any, most: int) -> None:
    if len(value) > most:
        raise CorruptFileError(f"history: {len(value):,} entries, expected at most {most:,}")
