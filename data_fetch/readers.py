"""Read several repositories at once, a page of each in turn, so that a long one keeps none waiting."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, Queue
from typing import Any, Protocol, TypeVar

from sentinel.errors import SentinelError
from sentinel.sources.page import Page


class Reading(Protocol):
    """Something whose pages are read one after the other."""

    pages: Iterator[Page]


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of a reading, with the error that ended it early."""

    error: SentinelError | None = None


ReadingT = TypeVar("ReadingT", bound=Reading)


def read_in_turn(readings: Sequence[ReadingT], n_readers: int) -> Iterator[tuple[ReadingT, Page | Ended]]:
    """Yield the pages of all readings, and the end of each; at most `n_readers` are waited for at once.

    While a page is stored the next ones are read; at most 2 * `n_readers` pages are held. The
    readers are daemons, so that a run which is stopped does not wait for an answer.
    """
    waiting: Queue[Any] = Queue()
    came: Queue[Any] = Queue(n_readers)
    for reading in readings:
        waiting.put(reading)
    readers = [threading.Thread(target=_read, args=(waiting, came), daemon=True, name=f"reader-{place}")
               for place in range(min(n_readers, len(readings)))]
    for reader in readers:
        reader.start()
    try:
        yield from _in_turn(waiting, came, len(readings))
    finally:
        _empty(waiting)
        for _ in readers:
            waiting.put(None)
        _empty(came)


def read_one(pages: Iterator[Page]) -> Page | Ended:
    """Return the next page, or how the reading ended; whatever is no error of ours is raised."""
    try:
        page = next(pages, None)
    except SentinelError as error:
        return Ended(error)
    return Ended() if page is None else page


def _in_turn(waiting: Queue[Any], came: Queue[Any], n_open: int) -> Iterator[tuple[Any, Page | Ended]]:
    while n_open:
        reading, outcome = came.get()
        if isinstance(outcome, BaseException):
            raise outcome
        if isinstance(outcome, Ended):
            n_open -= 1
        else:
            waiting.put(reading)
        yield reading, outcome


def _read(waiting: Queue[Any], came: Queue[Any]) -> None:
    """Read pages of whatever waits longest, until there is None."""
    while (reading := waiting.get()) is not None:
        outcome: Page | Ended | BaseException
        try:
            outcome = read_one(reading.pages)
        except BaseException as error:  # a bug; raised where the pages are stored
            outcome = error
        came.put((reading, outcome))


def _empty(queue: Queue[Any]) -> None:
    with suppress(Empty):
        while True:
            queue.get_nowait()
