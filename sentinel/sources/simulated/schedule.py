"""Who opens which kind of pull request when, and when it is closed: the plan of a made-up history.

The plan costs 40 bytes a pull request; all else is made when it is asked for.
"""

import random
from array import array
from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import get_args

from sentinel.sources.simulated.code_base import Layout, make_code_base
from sentinel.sources.simulated.oddities import ODDITIES, Planted, Stage
from sentinel.sources.simulated.people import ChangeKind, Person, make_people, make_visitor

START = datetime(2023, 10, 2, tzinfo=UTC)
END = datetime(2026, 10, 2, tzinfo=UTC)
KINDS: tuple[ChangeKind, ...] = get_args(ChangeKind)
N_RELEASES = 44
N_EPOCHS = 40  # how often it is looked who is active
VISITORS_SHARE = 0.13
RETURNING_SHARE = 0.25  # of the visits
MERGED_SHARE, MERGED_SHARE_OF_VISITORS = 0.92, 0.62
FIRST_PLANTED, LAST_PLANTED = 0.68, 0.985  # in the last third
VISITOR, PLANTED = 1 << 20, 1 << 40  # from here on, an author's number means that


@dataclass(slots=True)
class Schedule:
    """The plan, by position; times are seconds since 1970, UTC, and `closed` is 0 for what is open."""

    people: list[Person]
    planted: list[tuple[str, Planted]]
    created: array = field(default_factory=lambda: array("q"))
    author: array = field(default_factory=lambda: array("q"))
    kind: array = field(default_factory=lambda: array("b"))
    closed: array = field(default_factory=lambda: array("q"))
    is_merged: array = field(default_factory=lambda: array("b"))
    updated: array = field(default_factory=lambda: array("q"))

    def author_of(self, position: int, layout: Layout) -> Person:
        """Return who opened the pull request at `position`."""
        number = self.author[position]
        if number >= PLANTED:
            return self.planted[number - PLANTED][1].author
        if number >= VISITOR:
            return make_visitor(number, layout.product_areas)
        return self.people[number]

    def append(self, rng: random.Random, created: int, author: int, kind: int) -> None:
        """Add one at the end, with what becomes of it."""
        is_bot = author < len(self.people) and self.people[author].is_bot
        is_visitor = VISITOR <= author < PLANTED
        closed = created + int(3600 * rng.lognormvariate(1.0 if is_bot else 3.2, 1.6)) + 60
        is_open = closed > END.timestamp()
        self.created.append(created)
        self.author.append(author)
        self.kind.append(kind)
        self.closed.append(0 if is_open else closed)
        share = MERGED_SHARE_OF_VISITORS if is_visitor else MERGED_SHARE
        self.is_merged.append(not is_open and rng.random() < share)
        self.updated.append(created + rng.randrange(3600) if is_open else closed + rng.choice((0, 0, 0, 5, 90_000)))


def make_schedule(layout: Layout, seed: int, n_pull_requests: int, kinds_planted: tuple[str, ...]) -> Schedule:
    """Plan `n_pull_requests`, among them one of each kind of oddity."""
    rng = random.Random(f"{seed} {layout.repository}")
    people = make_people(rng, layout.product_areas)
    planted = _plant(rng, layout, people, kinds_planted)
    entries = _ordinary(rng, people, n_pull_requests - len(planted))
    for place, (_, oddity) in enumerate(planted):
        share = FIRST_PLANTED + (LAST_PLANTED - FIRST_PLANTED) * (place + rng.random()) / len(planted)
        entries.append((_time(rng, oddity.author, share, oddity.local_hour), PLANTED + place, 0))
    entries.sort()
    schedule = Schedule(people, planted)
    for created, author, kind in entries:
        schedule.append(rng, created, author, kind)
    return schedule


def _plant(rng: random.Random, layout: Layout, people: list[Person],
           kinds: tuple[str, ...]) -> list[tuple[str, Planted]]:
    """Make the oddities, in a shuffled order."""
    code_base = make_code_base(rng, layout, {}, [])
    shuffled = rng.sample(kinds, k=len(kinds))
    return [(kind, ODDITIES[kind](Stage(rng, people, code_base, 700 + place))) for place, kind in enumerate(shuffled)]


def _ordinary(rng: random.Random, people: list[Person], count: int) -> list[tuple[int, int, int]]:
    """Return (time, author, kind) of what is usual, nearly in order of time."""
    epochs = [_active(people, epoch / N_EPOCHS) for epoch in range(N_EPOCHS)]
    release_every = max(12, count // N_RELEASES)
    entries, visitors = [], [VISITOR + rng.randrange(1000)]
    for place in range(count):
        share = (place + rng.random()) / count
        if place % release_every == release_every - 1:
            entries.append((_time(rng, people[0], share), 0, KINDS.index("release")))
        elif rng.random() < VISITORS_SHARE:
            if rng.random() > RETURNING_SHARE:
                visitors.append(visitors[-1] + 1)
            visitor = rng.choice(visitors[-6:])
            habits = people[-3 - visitor % 8]
            entries.append((_time(rng, habits, share), visitor, _kind(rng, {"fix": 45, "docs": 47, "feature": 8})))
        else:
            active, weights = epochs[int(share * N_EPOCHS)]
            author = active[bisect_right(weights, rng.random() * weights[-1])]
            entries.append((_time(rng, people[author], share), author, _kind(rng, people[author].work)))
    return entries


def _active(people: list[Person], share: float) -> tuple[list[int], list[float]]:
    """Return who is active at `share` of the time, with accumulated weights."""
    active = [place for place, one in enumerate(people) if one.active_from <= share <= one.active_until]
    return active, list(accumulate(people[place].weight for place in active))


def _kind(rng: random.Random, work: dict[str, int]) -> int:
    return KINDS.index(rng.choices(list(work), list(work.values()))[0])


def _time(rng: random.Random, person: Person, share: float, local_hour: int | None = None) -> int:
    """Return a moment near `share` of the whole time, at an hour and weekday that suit the person."""
    day = START + timedelta(days=int((END - START).days * share))
    if local_hour is None and day.weekday() >= 5 and rng.random() > person.weekend_share * 2.5:
        day += timedelta(days=rng.choice((-2, -3, 2)) if day.weekday() == 6 else rng.choice((-1, -2, 2)))
    if local_hour is None:
        hours = person.start_hour + min(12.0, abs(rng.gauss(4.0, 2.4)))
    else:
        hours = local_hour + rng.random()
    moment = day + timedelta(hours=hours - person.utc_offset_hours)
    return int(min(max(moment, START), END - timedelta(minutes=5)).timestamp())
