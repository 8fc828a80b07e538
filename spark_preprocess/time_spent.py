"""Where the time of a run goes: by part of the work, added up over all tasks."""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

SPENT = "spent"  # the kind of a row, or a summary, that tells the milliseconds of one part
LOOKING_OVER, STARTING = "looking_over", "starting_spark"  # before the tasks
READING, WAITING, FOLDING, WRITING = "reading_mongodb", "waiting_for_spark", "folding", "writing_parquet"  # in tasks

Item = TypeVar("Item")


class TimeSpent:
    """Seconds by part."""

    def __init__(self) -> None:
        """Begin with nothing spent."""
        self.seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def on(self, part: str) -> Iterator[None]:
        """Add the time of the block to `part`."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[part] += time.perf_counter() - began

    def on_each(self, part: str, items: Iterable[Item]) -> Iterator[Item]:
        """Yield `items`, and add the time that they took to come to `part`."""
        iterator, nothing = iter(items), object()
        while True:
            with self.on(part):
                item = next(iterator, nothing)
            if item is nothing:
                return
            yield item  # type: ignore[misc]

    def milliseconds(self) -> Iterator[tuple[str, int]]:
        """Yield every part with what it took."""
        for part, seconds in self.seconds.items():
            yield part, round(1_000 * seconds)
