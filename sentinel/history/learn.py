"""How the memory of a repository takes in what happened."""

import math

from sentinel.features.facts import Facts
from sentinel.features.situation import Situation
from sentinel.history.counts import SECONDS_PER_DAY
from sentinel.history.memory import (
    AUTHOR_HALF_LIFE_DAYS, MOST_AUTHORS, MOST_NAME_CHARACTERS, MOST_PENDING, Author, Memory, Places, RecentChange,
    level_of, places_of,
)
from sentinel.history.names import skeleton_of
from sentinel.history.places import pairs_of
from sentinel.history.recall import REMEMBERED_GAPS, experience_at

FADED_HOURS = 0.99  # an author's hours and weekdays tell of about the last 100 changes
MOST_LATELY = 8
MOST_TITLE_WORDS, MOST_CODE_WORDS = 16, 512  # of one change
MOST_REMEMBERED_GAPS_HERE = 500.0
DELAY_SECONDS = 7 * SECONDS_PER_DAY  # after which work counts as landed where no outcome is ever told


def learn_opened(memory: Memory, facts: Facts, situation: Situation) -> None:
    """Take in that a pull request was opened: who, when, and its words; its places count once it landed."""
    _learn_author(memory, _author_of(memory, facts.author), facts)
    unit = memory.moments.unit(facts.at)
    memory.moments.add_each(("h", f"h{facts.hour}", f"w{facts.weekday}"), unit)
    memory.title_words.add_each(sorted(facts.title_words)[:MOST_TITLE_WORDS], unit)
    if facts.content is not None:
        memory.code_words.add_each(sorted(facts.content.words)[:MOST_CODE_WORDS], unit)
    memory.last_at = facts.at
    if facts.files:
        times_undone = int(situation.undone > 0)
        memory.remember_recent(RecentChange(facts.at, facts.tried_again, facts.undone_shape, times_undone))


def learn_merged(memory: Memory, facts: Facts, at: float) -> None:
    """Take in that a pull request landed at `at`."""
    land(memory, _places(memory, facts), at)


def remember_pending(memory: Memory, facts: Facts) -> None:
    """Keep a change whose outcome nobody will tell; the oldest lands when there are too many."""
    memory.pending.append(_places(memory, facts))
    if len(memory.pending) > MOST_PENDING:
        places = memory.pending.popleft()
        land(memory, places, places.at)


def land_pending(memory: Memory, at: float) -> None:
    """Let what was opened more than DELAY_SECONDS before `at` land."""
    while memory.pending and memory.pending[0].at + DELAY_SECONDS <= at:
        places = memory.pending.popleft()
        land(memory, places, places.at)


def land(memory: Memory, places: Places, at: float) -> None:
    """Count the places of a change at the time `at`, and the experience of its author."""
    author = _author_of(memory, places.author)
    author.experience += 2.0 ** (at / (AUTHOR_HALF_LIFE_DAYS * SECONDS_PER_DAY))
    memory.look_alikes.setdefault(skeleton_of(places.author), places.author)
    unit = memory.landed.unit(at)
    memory.landed.add_each(("all", places.level), unit)
    memory.paths.add_each(places.paths, unit)
    memory.company.add_each(places.paths, unit * places.log_files)
    memory.file_types.add_each(places.file_types, unit)
    memory.pairs.add_each(pairs_of(places.file_types), unit)
    memory.added_to.add_each(places.added_to, unit)
    memory.names.add_each(places.names, unit)
    _land_by_whom(memory, places, unit)


def _land_by_whom(memory: Memory, places: Places, unit: float) -> None:
    author_key, level_key = places.author + "\0", places.level + "\0"
    directories = [f"d{directory}" for directory in places.directories]
    memory.directories.add_each(directories, unit)
    memory.traits.add_each(places.traits, unit)
    keys = [*directories, *places.traits]
    memory.by_level.add_each([level_key + key for key in keys], unit)
    keys += places.file_types
    memory.by_author.add_each([author_key, *[author_key + key for key in keys]], unit)


def _places(memory: Memory, facts: Facts) -> Places:
    author = memory.authors.get(facts.author) or Author()
    return places_of(facts, level_of(experience_at(author, facts.at), facts.is_bot))


def _learn_author(memory: Memory, author: Author, facts: Facts) -> None:
    if author.opened:
        log_gap = math.log1p(max(0.0, facts.at - author.last_at) / SECONDS_PER_DAY)
        author.mean_log_gap += (log_gap - author.mean_log_gap) / min(author.opened, REMEMBERED_GAPS)
        memory.gaps = min(memory.gaps + 1.0, MOST_REMEMBERED_GAPS_HERE)
        memory.mean_log_gap += (log_gap - memory.mean_log_gap) / memory.gaps
    author.opened += 1
    author.mean_log_churn += (facts.log_churn - author.mean_log_churn) / min(author.opened, REMEMBERED_GAPS)
    author.last_at = max(author.last_at, facts.at)
    author.lately = [*author.lately[1 - MOST_LATELY:], facts.at]
    # The same 0.0 for all: a large repository has a million of these.
    author.hours = [weight * FADED_HOURS if weight else 0.0 for weight in author.hours] or [0.0] * 24
    author.hours[facts.hour] += 1.0
    author.weekdays = [weight * FADED_HOURS if weight else 0.0 for weight in author.weekdays] or [0.0] * 7
    author.weekdays[facts.weekday] += 1.0


def _author_of(memory: Memory, login: str) -> Author:
    login = login[:MOST_NAME_CHARACTERS]
    author = memory.authors.get(login)
    if author is None:
        author = memory.authors[login] = Author()
        if len(memory.authors) > MOST_AUTHORS:
            _forget_authors(memory, login)
    return author


def _forget_authors(memory: Memory, newest: str) -> None:
    """Drop the quarter of authors with the least experience, the longest ago."""
    logins = sorted(memory.authors.keys() - {newest}, key=lambda login: (
        memory.authors[login].experience, memory.authors[login].last_at, login))
    for login in logins[:len(logins) // 4]:
        del memory.authors[login]
        memory.look_alikes.pop(skeleton_of(login), None)
