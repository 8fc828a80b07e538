"""How the memory of a repository takes in what happened."""

import math

from sentinel.features.facts import Facts
from sentinel.history.counts import SECONDS_PER_DAY
from sentinel.history.memory import (
    AUTHOR_HALF_LIFE_DAYS, MOST_AUTHORS, MOST_PENDING, WORKING_HOURS, Author, Memory, PlacesOfChange, RecentChange,
    level_of, places_of,
)
from sentinel.history.recall import experience_at, pairs_of, skeleton_of
from sentinel.history.recent import shape_of, touched_of, undone_shape_of

FADED_HOURS = 0.99  # an author's hours tell of about the last 100 changes
MOST_LATELY = 8
DELAY_SECONDS = 7 * SECONDS_PER_DAY  # after which work counts as landed where nothing is ever said to land


def learn_opened(memory: Memory, facts: Facts, times_undone: int) -> None:
    """Take in that a pull request was opened: who and when; its places count once it landed."""
    author = _author(memory, facts.author)
    _learn_gap(memory, author, facts.at)
    author.opened += 1
    author.last_at = max(author.last_at, facts.at)
    author.lately = [*author.lately[1 - MOST_LATELY:], facts.at]
    author.hours = [weight * FADED_HOURS for weight in author.hours] or [0.0] * WORKING_HOURS
    author.hours[facts.hour] += 1.0
    unit = memory.moments.unit(facts.at)
    for key in (f"h{facts.hour}", "h", f"w{facts.weekday}", "w"):
        memory.moments.add(key, unit)
    for key in ("s", f"s{facts.title_shape}", *(f"w{word}" for word in sorted(facts.title_words)[:16])):
        memory.titles.add(key, unit)
    memory.recent.append(RecentChange(
        facts.at, facts.author, touched_of(facts), shape_of(facts), undone_shape_of(facts), times_undone,
    ))


def remember_pending(memory: Memory, facts: Facts) -> None:
    """Keep a change whose outcome nobody will tell; the oldest lands when there are too many."""
    memory.pending.append(_places(memory, facts))
    if len(memory.pending) > MOST_PENDING:
        land(memory, memory.pending.popleft())


def land_pending(memory: Memory, at: float) -> None:
    """Let what was opened more than DELAY_SECONDS before `at` land."""
    while memory.pending and memory.pending[0].at + DELAY_SECONDS <= at:
        land(memory, memory.pending.popleft())


def learn_merged(memory: Memory, facts: Facts) -> None:
    """Take in that a pull request landed."""
    land(memory, _places(memory, facts))


def land(memory: Memory, places: PlacesOfChange) -> None:
    """Count the places of a change, and the experience of its author."""
    unit = memory.landed.unit(places.at)
    author_key, level_key = places.author + "\0", places.level + "\0"
    author = _author(memory, places.author)
    author.experience += 2.0 ** (places.at / (AUTHOR_HALF_LIFE_DAYS * SECONDS_PER_DAY))
    memory.look_alikes.setdefault(skeleton_of(places.author), places.author)
    memory.landed.add("all", unit)
    memory.landed.add(places.level, unit)
    memory.by_author.add(author_key, unit)
    for directory in places.directories:
        memory.directories.add(directory, unit)
        memory.by_author.add(f"{author_key}d{directory}", unit)
        memory.by_level.add(f"{level_key}d{directory}", unit)
    for top in places.tops:
        memory.tops.add(top, unit)
    for path in places.paths:
        memory.paths.add(path, unit)
        memory.company.add(path, unit * places.log_files)
    for extension in places.extensions:
        memory.extensions.add(extension, unit)
        memory.by_author.add(f"{author_key}x{extension}", unit)
        memory.by_level.add(f"{level_key}x{extension}", unit)
    for pair in pairs_of(list(places.extensions)):
        memory.pairs.add(pair, unit)
    for directory in places.new_places:
        memory.new_places.add(directory, unit)
    for place in places.sensitive:
        memory.by_level.add(f"{level_key}s{place}", unit)
    memory.by_author.add(f"{author_key}t{places.title_shape}", unit)


def _places(memory: Memory, facts: Facts) -> PlacesOfChange:
    author = memory.authors.get(facts.author) or Author()
    level = level_of(experience_at(author, facts.at), facts.is_bot)
    return places_of(facts, level, math.log(max(1, facts.pull_request.changed_files)))


def _author(memory: Memory, login: str) -> Author:
    author = memory.authors.get(login)
    if author is None:
        author = memory.authors[login] = Author()
        if len(memory.authors) > MOST_AUTHORS:
            _forget_authors(memory)
    return author


def _forget_authors(memory: Memory) -> None:
    """Drop the quarter of authors with the least experience, the longest ago."""
    logins = sorted(memory.authors, key=lambda login: (
        memory.authors[login].experience, memory.authors[login].last_at, login))
    for login in logins[:len(logins) // 4]:
        del memory.authors[login]
        memory.look_alikes.pop(skeleton_of(login), None)


def _learn_gap(memory: Memory, author: Author, at: float) -> None:
    if not author.opened:
        return
    log_gap = math.log1p(max(0.0, at - author.last_at) / SECONDS_PER_DAY)
    author.gaps = min(author.gaps + 1, 20)
    author.mean_log_gap += (log_gap - author.mean_log_gap) / author.gaps
    memory.gaps = min(memory.gaps + 1.0, 500.0)
    memory.mean_log_gap += (log_gap - memory.mean_log_gap) / memory.gaps
