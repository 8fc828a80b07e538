"""Several readings at once, with made-up pages."""

import threading
from collections import Counter
from dataclasses import dataclass
from collections.abc import Iterator

import pytest

from data_fetch.readers import Ended, read_in_turn
from sentinel.errors import NotFoundError
from sentinel.sources.page import Page
from tests.patience import PATIENCE_SECONDS


@dataclass
class Reading:
    name: str
    pages: Iterator[Page]


def reading(name: str, n_pages: int, ending: Exception | None = None) -> Reading:
    def pages() -> Iterator[Page]:
        for place in range(n_pages):
            yield Page(name, (), total=place)
        if ending is not None:
            raise ending

    return Reading(name, pages())


def names(outcomes, kind: type) -> list[str]:
    return [one.name for one, outcome in outcomes if isinstance(outcome, kind)]


@pytest.mark.parametrize("n_readers", [1, 4])
def test_every_page_comes_once_and_in_its_order(n_readers):
    outcomes = list(read_in_turn([reading(name, 20) for name in "abcdef"], n_readers))

    places = {name: [page.total for one, page in outcomes if one.name == name and isinstance(page, Page)]
              for name in "abcdef"}
    assert places == dict.fromkeys("abcdef", list(range(20)))
    assert Counter("abcdef") == Counter(names(outcomes, Ended))


def test_long_reading_does_not_keep_the_others_waiting():
    outcomes = list(read_in_turn([reading("long", 1000), reading("b", 3), reading("c", 3)], 1))

    assert ["b", "c"] == names(outcomes[:20], Ended)


def test_failing_reading_ends_alone():
    outcomes = list(read_in_turn([reading("a", 2, NotFoundError("gone")), reading("b", 5)], 2))

    assert {"a": "gone", "b": "None"} == {one.name: str(end.error) for one, end in outcomes if isinstance(end, Ended)}
    assert Counter(a=2, b=5) == Counter(names(outcomes, Page))


def test_bug_in_a_reader_is_raised_where_pages_are_stored():
    with pytest.raises(ZeroDivisionError):
        list(read_in_turn([reading("a", 1, ZeroDivisionError())], 2))


def test_readers_end_when_nobody_takes_pages_any_more():
    taken = read_in_turn([reading(name, 1000) for name in "abcd"], 4)
    next(taken)
    readers = [thread for thread in threading.enumerate() if thread.name.startswith("reader-")]
    taken.close()
    for thread in readers:
        thread.join(PATIENCE_SECONDS)

    assert 4 == len(readers)
    assert not any(thread.is_alive() for thread in readers)
