"""A made-up repository: its pull requests on demand, and what may happen to them later."""

import hashlib
import random
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Literal

from sentinel.pull_request import Outcome, PullRequest, PullRequestRecord
from sentinel.sources.simulated.changes import Change, make_change
from sentinel.sources.simulated.code_base import CodeBase, Layout, make_code_base
from sentinel.sources.simulated.people import Person
from sentinel.sources.simulated.schedule import KINDS, PLANTED, VISITOR, Schedule, make_schedule

DELETED_FORKS_SHARE = 0.15
OrderField = Literal["CREATED_AT", "UPDATED_AT"]


class SimulatedRepository:
    """A repository of GitHub's as a function of a seed; only what is edited is kept."""

    def __init__(self, layout: Layout, seed: int, n_pull_requests: int, kinds_planted: tuple[str, ...] = ()) -> None:
        """Plan the history; a pull request is made when it is asked for."""
        self.name = layout.repository  # may change later; the history does not
        self._layout, self._seed = layout, seed
        self._schedule = make_schedule(layout, seed, n_pull_requests, kinds_planted)
        self._code_base = _grow(layout, seed, self._schedule)
        self._by_update = sorted((at << 32) + place for place, at in enumerate(self._schedule.updated))
        self._edits: dict[int, PullRequestRecord] = {}
        self._removed: set[int] = set()

    def __len__(self) -> int:
        """Return how many pull requests there are now."""
        return len(self._schedule.created) - len(self._removed)

    def planted(self) -> dict[int, str]:
        """Return the kind of each planted oddity by the number of its pull request."""
        return {
            _number(place): self._schedule.planted[author - PLANTED][0]
            for place, author in enumerate(self._schedule.author) if author >= PLANTED
        }

    def records(self) -> Iterator[PullRequestRecord]:
        """Yield all pull requests as they stand now, the oldest first."""
        for position in range(len(self._schedule.created)):
            if position not in self._removed:
                yield self._record(position)

    def numbers(self, state: str) -> list[int]:
        """Return the numbers of those that are "open", "closed" or "all", the oldest first."""
        wanted = {"open": (False,), "closed": (True,)}.get(state, (False, True))
        return [_number(place) for place, closed in enumerate(self._schedule.closed)
                if place not in self._removed and (closed > 0) in wanted]

    def find(self, number: int) -> PullRequestRecord | None:
        """Return the pull request `number` as it stands now, or None."""
        position = self._position(number)
        return None if position is None else self._record(position)

    def page(self, order: OrderField, is_descending: bool, after: tuple[int, int] | None,
             count: int) -> tuple[list[PullRequestRecord], bool]:
        """Return up to `count` pull requests behind the key `after`, and whether more follow."""
        found: list[int] = []
        for position in self._walk(order, is_descending, after):
            if position not in self._removed:
                found.append(position)
            if len(found) > count:
                break
        return [self._record(position) for position in found[:count]], len(found) > count

    def key(self, order: OrderField, record: PullRequestRecord) -> tuple[int, int]:
        """Return the place of a record in a walk."""
        at = record.pull_request.opened_at if order == "CREATED_AT" else record.outcome.updated_at
        assert at is not None
        return int(at.timestamp()), self._position(record.pull_request.number) or 0

    def edit(self, number: int, at: datetime, **fields: Any) -> None:
        """Change fields of a pull request at the moment `at`; merged_at and closed_at too."""
        position = self._existing(number)
        record = self._record(position)
        outcome = {name: fields.pop(name) for name in ("merged_at", "closed_at") if name in fields}
        self._by_update.remove((self._schedule.updated[position] << 32) + position)
        self._schedule.updated[position] = int(at.timestamp())
        insort(self._by_update, (self._schedule.updated[position] << 32) + position)
        if "closed_at" in outcome:
            self._schedule.closed[position] = int(outcome["closed_at"].timestamp()) if outcome["closed_at"] else 0
        outcome["updated_at"] = _time_of(self._schedule.updated[position])
        self._edits[position] = PullRequestRecord(
            replace(record.pull_request, **fields), replace(record.outcome, **outcome))

    def remove(self, number: int) -> None:
        """Delete a pull request, as GitHub's staff does with spam."""
        self._removed.add(self._existing(number))

    def open_another(self, at: datetime) -> int:
        """Open one more and return its number; `at` is later than all others' opening."""
        position, schedule = len(self._schedule.created), self._schedule
        schedule.append(random.Random(position), int(at.timestamp()), VISITOR + 500_000 + position, KINDS.index("fix"))
        schedule.updated[position], schedule.closed[position] = int(at.timestamp()), 0
        schedule.is_merged[position] = False
        insort(self._by_update, (schedule.updated[position] << 32) + position)
        return _number(position)

    def _walk(self, order: OrderField, is_descending: bool, after: tuple[int, int] | None) -> Iterator[int]:
        if order == "CREATED_AT":
            keys: Any = range(len(self._schedule.created))
            bound = None if after is None else after[1]
        else:
            keys = self._by_update
            bound = None if after is None else (after[0] << 32) + after[1]
        if is_descending:
            places: Any = range((len(keys) if bound is None else bisect_left(keys, bound)) - 1, -1, -1)
        else:
            places = range(0 if bound is None else bisect_right(keys, bound), len(keys))
        return (keys[place] & 0xFFFFFFFF for place in places)

    def _existing(self, number: int) -> int:
        position = self._position(number)
        if position is None:
            raise LookupError(f"{self.name}#{number} is not in the simulated history")
        return position

    def _position(self, number: int) -> int | None:
        position = -(-(number - 1) * 5 // 8)
        is_there = 0 <= position < len(self._schedule.created) and _number(position) == number
        return position if is_there and position not in self._removed else None

    def _record(self, position: int) -> PullRequestRecord:
        return self._edits.get(position) or self._make(position)

    def _make(self, position: int) -> PullRequestRecord:
        schedule = self._schedule
        rng = random.Random((self._seed << 40) + (len(self._layout.repository) << 32) + position)
        person = schedule.author_of(position, self._layout)
        change = self._change(rng, position, person)
        pull_request = PullRequest(
            repository=self.name, number=_number(position), title=change.title, body=change.body,
            opened_at=_time_of(schedule.created[position]), author=None if person.is_gone else person.login,
            author_kind="Bot" if person.is_bot else "User", base_ref="main", head_ref=change.head_ref,
            head_repository=self._head_repository(rng, person), is_from_fork=not person.is_member,
            head_sha=_sha(self._layout.repository, position, "head"), commits=change.commits,
            additions=sum(file.additions for file in change.files),
            deletions=sum(file.deletions for file in change.files),
            changed_files=len(change.files), files=change.files,
        )
        return PullRequestRecord(pull_request, self._outcome(position))

    def _change(self, rng: random.Random, position: int, person: Person) -> Change:
        author = self._schedule.author[position]
        if author >= PLANTED:
            return self._schedule.planted[author - PLANTED][1].change
        return make_change(rng, KINDS[self._schedule.kind[position]], person, self._code_base, position)

    def _head_repository(self, rng: random.Random, person: Person) -> str | None:
        if person.is_member:
            return self.name
        is_lost = person.is_gone or rng.random() < DELETED_FORKS_SHARE
        return None if is_lost else f"{person.login}/{self.name.split('/')[1]}"

    def _outcome(self, position: int) -> Outcome:
        closed = self._schedule.closed[position]
        is_merged = bool(self._schedule.is_merged[position])
        return Outcome(
            updated_at=_time_of(self._schedule.updated[position]),
            merged_at=_time_of(closed) if is_merged else None,
            closed_at=_time_of(closed) if closed else None,
            merge_commit_sha=_sha(self._layout.repository, position, "merge") if is_merged else None,
        )


def _grow(layout: Layout, seed: int, schedule: Schedule) -> CodeBase:
    """Make the code base; about every second new feature brings a file."""
    rng = random.Random(f"{seed} files {layout.repository}")
    feature, refactoring = KINDS.index("feature"), KINDS.index("refactoring")
    growing: dict[str, list[int]] = {}
    refactorings = []
    for position, kind in enumerate(schedule.kind):
        if schedule.author[position] >= PLANTED:
            continue
        if kind == feature and rng.random() < 0.5:
            areas = [area for area in schedule.author_of(position, layout).areas if area != "docs"]
            growing.setdefault(areas[0] if areas else layout.product_areas[0], []).append(position)
        elif kind == refactoring and rng.random() < 0.3:
            refactorings.append(position)
    return make_code_base(rng, layout, growing, refactorings)


def _number(position: int) -> int:
    """Return a pull request's number; issues take the others."""
    return position * 8 // 5 + 1


def _time_of(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _sha(*parts: object) -> str:
    return hashlib.sha1(repr(parts).encode(), usedforsecurity=False).hexdigest()
