"""The made-up people of a made-up repository, each with habits of their own."""

import random
from dataclasses import dataclass
from typing import Literal

from sentinel.sources.simulated.words import FIRST_HALVES, SECOND_HALVES

ChangeKind = Literal["feature", "fix", "docs", "tests", "refactoring", "build", "dependencies", "generated", "release"]

N_MAINTAINERS, N_REGULARS, N_OCCASIONALS = 6, 22, 32
TIME_ZONES = (-8, -7, -5, -5, -3, 0, 0, 1, 1, 1, 2, 2, 3, 5, 8, 9, 10)  # hours from UTC
WORK = {"feature": 30, "fix": 36, "docs": 6, "tests": 10, "refactoring": 14, "build": 2}
DOCS_WORK = {"docs": 85, "fix": 10, "tests": 5}
BUILD_WORK = {"build": 60, "fix": 20, "dependencies": 10, "docs": 10}
VISIT = {"fix": 45, "docs": 47, "feature": 8}


@dataclass(frozen=True, slots=True)
class Person:
    """Someone who opens pull requests, and how they usually do it."""

    login: str
    areas: tuple[str, ...]  # of the code base, the usual one first
    work: dict[str, int]  # weight of each kind of change
    utc_offset_hours: int = 0
    start_hour: int = 9  # local, when the working day begins
    weekend_share: float = 0.05
    median_lines: float = 20.0
    tests_share: float = 0.5
    empty_body_share: float = 0.1
    active_from: float = 0.0  # share of the whole time
    active_until: float = 1.0
    weight: float = 1.0  # how often
    is_member: bool = False  # branches live in the repository itself
    is_bot: bool = False
    is_gone: bool = False  # the account was deleted since
    has_emoji: bool = False
    branch_style: Literal["topic", "login", "patch"] = "topic"


def make_people(rng: random.Random, areas: tuple[str, ...]) -> list[Person]:
    """Return maintainers, regulars, occasional authors and bots, in this order."""
    logins = _unique_logins(rng, N_MAINTAINERS + N_REGULARS + N_OCCASIONALS)
    people = [_maintainer(rng, logins.pop(), areas, place) for place in range(N_MAINTAINERS)]
    people += [_regular(rng, logins.pop(), areas) for _ in range(N_REGULARS)]
    people += [_occasional(rng, logins.pop(), areas) for _ in range(N_OCCASIONALS)]
    people.append(Person("seedbump[bot]", ("dependencies",), {"dependencies": 1}, weight=14, weekend_share=0.2,
                         start_hour=4, is_member=True, is_bot=True, tests_share=0, empty_body_share=0))
    people.append(Person("codegen[bot]", ("generated",), {"generated": 1}, weight=2.2, weekend_share=0, start_hour=1,
                         is_member=True, is_bot=True, tests_share=0, empty_body_share=0))
    return people


def make_visitor(seed: int, areas: tuple[str, ...]) -> Person:
    """Return one of the many who come once or twice."""
    rng = random.Random(seed)
    login = f"{rng.choice(FIRST_HALVES)}{rng.choice(SECOND_HALVES)}{rng.choice(['', '-', ''])}{rng.randrange(10, 9999)}"
    return Person(
        login, (rng.choice(areas),), VISIT, rng.choice(TIME_ZONES), rng.choice((8, 10, 17, 19)), 0.3,
        rng.choice((2.0, 4.0, 8.0)), 0.2, 0.4, is_gone=rng.random() < 0.04, branch_style=rng.choice(("patch", "topic")),
    )


def _maintainer(rng: random.Random, login: str, areas: tuple[str, ...], place: int) -> Person:
    """Return a maintainer; the second of them falls silent at less than half of the time."""
    mine = tuple(rng.sample(areas, k=min(4, len(areas))))
    work = BUILD_WORK if place == 3 else WORK
    return Person(
        login, mine, work, rng.choice(TIME_ZONES), rng.randint(7, 10), rng.choice((0.01, 0.05, 0.2)),
        rng.choice((15.0, 30.0, 60.0)), 0.7, 0.15, 0.0, 0.45 if place == 1 else 1.0, rng.uniform(4, 9),
        is_member=True, has_emoji=place == 2,
    )


def _regular(rng: random.Random, login: str, areas: tuple[str, ...]) -> Person:
    start = rng.choice((0.0, 0.0, 0.1, 0.25, 0.4, 0.55))
    return Person(
        login, tuple(rng.sample(areas, k=min(2, len(areas)))), rng.choice((WORK, WORK, WORK, DOCS_WORK)),
        rng.choice(TIME_ZONES), rng.randint(7, 12), rng.choice((0.02, 0.1, 0.3)), rng.choice((8.0, 20.0, 35.0)),
        rng.uniform(0.2, 0.8), rng.uniform(0.0, 0.4), start, min(1.0, start + rng.uniform(0.4, 1.0)),
        rng.uniform(0.8, 3.0), is_member=rng.random() < 0.4, has_emoji=rng.random() < 0.15,
        branch_style=rng.choice(("topic", "topic", "login")),
    )


def _occasional(rng: random.Random, login: str, areas: tuple[str, ...]) -> Person:
    start = rng.uniform(0.0, 0.8)
    return Person(
        login, (rng.choice(areas),), rng.choice((WORK, WORK, DOCS_WORK)), rng.choice(TIME_ZONES), rng.randint(8, 18),
        0.2, rng.choice((5.0, 12.0, 20.0)), rng.uniform(0.0, 0.6), rng.uniform(0.1, 0.6), start,
        min(1.0, start + rng.uniform(0.15, 0.6)), rng.uniform(0.1, 0.5), is_gone=rng.random() < 0.06,
        branch_style=rng.choice(("topic", "login", "patch")),
    )


def _unique_logins(rng: random.Random, count: int) -> list[str]:
    pairs = [(first, second) for first in FIRST_HALVES for second in SECOND_HALVES]
    joints = ("", "", "-")
    return [first + rng.choice(joints) + second for first, second in rng.sample(pairs, count)]
