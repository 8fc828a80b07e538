"""What the memory of a repository says about one pull request: its situation."""

import math

from sentinel.content import Content
from sentinel.features.facts import Facts
from sentinel.features.situation import AddedNames, Situation
from sentinel.history.counts import SECONDS_PER_DAY
from sentinel.history.memory import AUTHOR_HALF_LIFE_DAYS, FORK, NO_FORK, Author, Memory, level_of
from sentinel.history.names import look_alikes_of, skeleton_of
from sentinel.history.places import PlaceShares, pairs_of

NAN = math.nan
NOBODY = Author()
HOUR_PRIOR = 10.0  # changes' worth of the repository's hours
WEEKDAY_PRIOR = 10.0  # the same of its weekdays
REMEMBERED_GAPS, USUAL_GAPS = 20, 3.0  # of an author; and what the wider habit is worth
USUAL_GAP_DAYS = 7.0  # before any gap is known in the repository
UNDONE_DAYS = 60.0
LEAST_WORDS = 4.0
HOURS_AROUND = [(f"h{(hour - 1) % 24}", f"h{hour}", f"h{(hour + 1) % 24}") for hour in range(24)]
WEEKDAYS = [f"w{weekday}" for weekday in range(7)]
LOG_USUAL_GAP = math.log1p(USUAL_GAP_DAYS)


def recall(memory: Memory, facts: Facts) -> Situation:
    """Return the situation of a pull request; the memory stays as it is."""
    author = memory.authors.get(facts.author, NOBODY)
    experience = experience_at(author, facts.at)
    level = level_of(experience, facts.is_bot)
    shares = PlaceShares(memory, facts, level)
    situation = Situation(facts, level, experience, author.opened)
    if facts.files:
        _recall_places(memory, facts, shares, situation)
    situation.silence, situation.quiet = _silence(memory, author, facts.at), _quiet(memory, facts.at)
    situation.larger_than_own = _larger_than_own(author, facts.log_churn)
    situation.opened_last_day = _opened_since(author, facts.at - SECONDS_PER_DAY)
    situation.looks_like_other = memory.look_alikes.get(skeleton_of(facts.author), facts.author) != facts.author
    situation.title_for_author = shares.trait_for_author(f"t{facts.title_shape}")
    if facts.branch_form is not None:
        situation.branch_for_author = shares.trait_for_author(f"b{facts.branch_form}")
    if facts.base is not None:
        situation.base_for_author = shares.trait_for_author(f"i{facts.base}")
    if facts.pull_request.is_from_fork is not None:
        situation.fork_for_author = shares.trait_for_author(FORK if facts.pull_request.is_from_fork else NO_FORK)
    situation.title_words = _title_words(memory, facts, shares.unit)
    situation.hour = _hour(memory, author, facts.hour)
    situation.weekday = _weekday(memory, author, facts.weekday, shares.unit)
    if facts.content is not None:
        situation.added = _added_names(memory, facts.content)
    return situation


def _recall_places(memory: Memory, facts: Facts, shares: PlaceShares, situation: Situation) -> None:
    traits = memory.traits.weights
    situation.directory, situation.directory_for_author, situation.directory_for_level = shares.rarity(
        memory.directories.weights, [f"d{directory}" for directory in facts.directories])
    situation.path, situation.aloneness = shares.of_files()
    _, situation.mix_for_author, situation.mix_for_level = shares.rarity(traits, (f"m{facts.mix}",))
    situation.sensitive_for_author = situation.sensitive_for_level = 0.0
    if facts.sensitive:
        _, situation.sensitive_for_author, situation.sensitive_for_level = shares.rarity(
            traits, [f"s{place}" for place in facts.sensitive])
    situation.hidden_for_level = 0.0
    if facts.hidden:
        _, _, situation.hidden_for_level = shares.rarity(traits, [f"h{part}" for part in facts.hidden])
    situation.file_type, situation.file_type_for_author = shares.rarest_for_author(
        memory.file_types.weights, facts.file_types)
    situation.pair = shares.rarest(memory.pairs.weights, pairs_of(facts.file_types))
    situation.added_to = shares.rarest(memory.added_to.weights, facts.added_to)
    situation.unfamiliar_files = shares.unfamiliar_files()
    situation.undone = _undone(memory, facts)
    situation.tries = memory.tries.get(facts.tried_again, 0)


def experience_at(author: Author, at: float) -> float:
    """Return the author's landed changes, each halved every AUTHOR_HALF_LIFE_DAYS."""
    return author.experience / 2.0 ** (at / (AUTHOR_HALF_LIFE_DAYS * SECONDS_PER_DAY))


def _silence(memory: Memory, author: Author, at: float) -> float:
    """Compare the gap with the author's own habit; 0 for a first-timer (whose silence means nothing)."""
    if not author.opened:
        return 0.0
    log_gap = math.log1p(max(0.0, at - author.last_at) / SECONDS_PER_DAY)
    wide = memory.mean_log_gap if memory.gaps >= USUAL_GAPS else LOG_USUAL_GAP
    gaps = min(author.opened - 1, REMEMBERED_GAPS)
    return max(0.0, log_gap - (author.mean_log_gap * gaps + wide * USUAL_GAPS) / (gaps + USUAL_GAPS))


def _opened_since(author: Author, earliest: float) -> int:
    return sum([at >= earliest for at in author.lately]) if author.last_at >= earliest else 0


def _quiet(memory: Memory, at: float) -> float:
    return math.log1p(max(0.0, at - memory.last_at) / 3_600.0) if memory.last_at else NAN


def _larger_than_own(author: Author, log_churn: float) -> float:
    return max(0.0, log_churn - author.mean_log_churn) if author.opened >= 3 else 0.0


def _hour(memory: Memory, author: Author, hour: int) -> float:
    """Return the rarity of an hour and its neighbours for this author, leaning on the repository (Goyal 2018)."""
    moments, (before, now, after) = memory.moments.weights, HOURS_AROUND[hour]
    everyone, wide = moments.get("h", 0.0), 3 / 24
    if everyone:
        near = moments.get(before, 0.0) + moments.get(now, 0.0) + moments.get(after, 0.0)
        wide = max(0.01, near / everyone)
    own = author.hours
    if not own:
        return -math.log(min(1.0, wide))
    near = own[hour - 1] + own[hour] + own[hour - 23]
    return -math.log(min(1.0, (near + HOUR_PRIOR * wide) / (sum(own) + HOUR_PRIOR)))


def _weekday(memory: Memory, author: Author, weekday: int, unit: float) -> float:
    """Return the rarity of a day of the week for this author, leaning on the repository."""
    moments, own = memory.moments.weights, author.weekdays
    wide = (moments.get(WEEKDAYS[weekday], 0.0) + unit) / (moments.get("h", 0.0) + 7 * unit)
    if not own:
        return -math.log(wide)
    return -math.log((own[weekday] + WEEKDAY_PRIOR * wide) / (sum(own) + WEEKDAY_PRIOR))


def _title_words(memory: Memory, facts: Facts, unit: float) -> float:
    """Return the mean rarity of the title's words that no touched path explains; their order does not matter."""
    words = facts.title_words.difference(*[path.words for path in facts.paths])
    if not words:
        return 0.0
    get, everything = memory.title_words.weights.get, memory.moments.weights.get("h", 0.0) + unit
    log, unseen = math.log, 0.5 * unit
    return max(0.0, -math.fsum([log((get(word, 0.0) + unseen) / everything) for word in words]) / len(words))


def _undone(memory: Memory, facts: Facts) -> float:
    """Tell how fresh a change is that this one undoes; one to one edits look the same both ways and do not count."""
    if not memory.undone_shapes or facts.pull_request.additions == facts.pull_request.deletions:
        return 0.0
    change = memory.undone_shapes.get(facts.shape)
    if change is None:
        return 0.0
    days = max(0.05, (facts.at - change.at) / SECONDS_PER_DAY)
    return 1.0 + change.times_undone + math.log(UNDONE_DAYS / days) if days < UNDONE_DAYS else 0.0


def _added_names(memory: Memory, content: Content) -> AddedNames:
    names, words = memory.names.weights, memory.code_words.weights
    new_dependencies = [name for name in content.dependencies if f"d{name}" not in names]
    return AddedNames(
        new_hosts=sum([f"h{host}" not in names for host in content.hosts]),
        new_piped_hosts=sum([f"h{host}" not in names for host in content.piped_hosts]),
        new_dependencies=len(new_dependencies),
        new_sources=sum([f"r{host}" not in names for host in content.sources]),
        look_alike_dependencies=look_alikes_of(new_dependencies),
        new_words=sum([word not in words for word in content.words]) / (len(content.words) + LEAST_WORDS),
    )
