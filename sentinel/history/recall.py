"""What the memory of a repository says about one pull request: its situation."""

import math

from sentinel.features.facts import Facts
from sentinel.features.situation import Rarity, Situation
from sentinel.history.counts import SECONDS_PER_DAY
from sentinel.history.memory import AUTHOR_HALF_LIFE_DAYS, Author, Memory, level_of
from sentinel.history.names import look_alikes_of, skeleton_of
from sentinel.history.places import NOTHING, UNKNOWN, PlaceShares, pairs_of

NAN = math.nan
NOBODY = Author()
HOUR_PRIOR = 10.0  # changes' worth of the repository's hours
REMEMBERED_GAPS, USUAL_GAPS = 20, 3.0  # of an author; and what the wider habit is worth
USUAL_GAP_DAYS = 7.0  # before any gap is known in the repository
UNDONE_DAYS = 60.0
LEAST_WORDS = 4.0
HOURS_AROUND = [(f"h{(hour - 1) % 24}", f"h{hour}", f"h{(hour + 1) % 24}") for hour in range(24)]
NO_CONTENT = dict.fromkeys(
    ("new_hosts", "new_piped_hosts", "new_dependencies", "look_alike_dependencies", "new_words"), NAN)


def recall(memory: Memory, facts: Facts) -> Situation:
    """Return the situation of a pull request; the memory stays as it is."""
    author = memory.authors.get(facts.author, NOBODY)
    experience = experience_at(author, facts.at)
    level = level_of(experience, facts.is_bot)
    shares = PlaceShares(memory, facts, level)
    traits = memory.traits.weights
    if facts.files:
        directory = shares.rarity(memory.directories.weights, facts.directories, "d")
        path, aloneness = shares.of_files()
        mix = shares.rarity(traits, (facts.mix,), "m")
        sensitive = shares.rarity(traits, facts.sensitive, "s") if facts.sensitive else NOTHING
        extension = shares.rarest(memory.extensions.weights, facts.extensions)
        pair = shares.rarest(memory.pairs.weights, pairs_of(facts.extensions))
        added_to = shares.rarest(memory.added_to.weights, facts.added_to)
        unfamiliar = shares.unfamiliar_files()
    else:
        directory = mix = sensitive = UNKNOWN
        unfamiliar = path = aloneness = extension = pair = added_to = NAN
    return Situation(
        facts=facts, level=level, experience=experience, earlier=author.opened,
        silence=_silence(memory, author, facts.at), quiet=_quiet(memory, facts.at),
        larger_than_own=_larger_than_own(author, facts.log_churn),
        opened_last_day=_opened_since(author, facts.at - SECONDS_PER_DAY),
        looks_like_other=memory.look_alikes.get(skeleton_of(facts.author), facts.author) != facts.author,
        directory=directory, extension=extension, mix=mix, sensitive=sensitive,
        title=shares.rarity(traits, (facts.title_shape,), "t"), branch=_branch_rarity(shares, facts),
        path=path, pair=pair, added_to=added_to, aloneness=aloneness,
        unfamiliar_files=unfamiliar, title_words=_title_words(memory, facts, shares.unit),
        hour=_hour(memory, author, facts.hour), weekday=_weekday(memory, facts.weekday, shares.unit),
        undone=_undone(memory, facts), tries=memory.tries.get(facts.tried_again, 0) if facts.files else 0,
        **_recall_content(memory, facts),
    )


def experience_at(author: Author, at: float) -> float:
    """Return the author's landed changes, each halved every AUTHOR_HALF_LIFE_DAYS."""
    return author.experience / 2.0 ** (at / (AUTHOR_HALF_LIFE_DAYS * SECONDS_PER_DAY))


def _silence(memory: Memory, author: Author, at: float) -> float:
    """Compare the gap with the author's own habit; 0 for a first-timer (whose silence means nothing)."""
    if not author.opened:
        return 0.0
    log_gap = math.log1p(max(0.0, at - author.last_at) / SECONDS_PER_DAY)
    wide = memory.mean_log_gap if memory.gaps >= USUAL_GAPS else math.log1p(USUAL_GAP_DAYS)
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


def _weekday(memory: Memory, weekday: int, unit: float) -> float:
    moments = memory.moments.weights
    return -math.log((moments.get(f"w{weekday}", 0.0) + unit) / (moments.get("h", 0.0) + 7 * unit))


def _branch_rarity(shares: PlaceShares, facts: Facts) -> Rarity:
    return UNKNOWN if facts.branch_form is None else shares.rarity(
        shares.memory.traits.weights, (facts.branch_form,), "b")


def _title_words(memory: Memory, facts: Facts, unit: float) -> float:
    """Return the mean rarity of the title's words that no touched path explains."""
    words = facts.title_words - facts.path_words
    if not words:
        return 0.0
    weights, everything = memory.title_words.weights, memory.moments.weights.get("h", 0.0) + unit
    rarity, unseen = 0.0, 0.5 * unit
    for word in words:
        rarity -= math.log((weights.get(word, 0.0) + unseen) / everything)
    return max(0.0, rarity / len(words))


def _undone(memory: Memory, facts: Facts) -> float:
    """Tell how fresh a change is that this one undoes; one to one edits look the same both ways and do not count."""
    if not facts.files or facts.pull_request.additions == facts.pull_request.deletions:
        return 0.0
    change = memory.undone_shapes.get(facts.shape)
    if change is None:
        return 0.0
    days = max(0.05, (facts.at - change.at) / SECONDS_PER_DAY)
    return 1.0 + change.times_undone + math.log(UNDONE_DAYS / days) if days < UNDONE_DAYS else 0.0


def _recall_content(memory: Memory, facts: Facts) -> dict[str, float]:
    content = facts.content
    if content is None:
        return NO_CONTENT
    names, words = memory.names.weights, memory.code_words.weights
    new_dependencies = [name for name in content.dependencies if f"d{name}" not in names]
    new_words = sum(word not in words for word in content.words)
    return {
        "new_hosts": sum(f"h{host}" not in names for host in content.hosts),
        "new_piped_hosts": sum(f"h{host}" not in names for host in content.piped_hosts),
        "new_dependencies": len(new_dependencies),
        "look_alike_dependencies": look_alikes_of(new_dependencies),
        "new_words": new_words / (len(content.words) + LEAST_WORDS),
    }
