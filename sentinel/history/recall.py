"""What the memory of a repository says about one pull request: its situation."""

import math
from collections.abc import Iterable

from sentinel.features.facts import Facts
from sentinel.features.situation import Situation
from sentinel.history.counts import SECONDS_PER_DAY
from sentinel.history.memory import AUTHOR_HALF_LIFE_DAYS, Author, Memory, level_of
from sentinel.history.recent import shape_of, touched_of, undone_shape_of

NAN = math.nan
AUTHOR_PRIOR, LEVEL_PRIOR, HOUR_PRIOR = 5.0, 10.0, 10.0  # changes' worth of the wider share
LEAST_SHARE = 1e-6
RECENT_DAYS = 60.0
USUAL_GAP_DAYS, USUAL_GAPS = 7.0, 3.0  # an author's gap before any is known, and what that is worth


def recall(memory: Memory, facts: Facts) -> Situation:
    """Return the situation of a pull request; the memory stays as it is."""
    author = memory.authors.get(facts.author) or Author()
    experience = experience_at(author, facts.at)
    level = level_of(experience, facts.is_bot)
    unit = memory.landed.unit(facts.at)
    gap = max(0.0, facts.at - author.last_at) / SECONDS_PER_DAY if author.opened else NAN
    places = _Places(memory, facts, level, unit)
    known = facts.files != ()
    return Situation(
        facts=facts, experience=experience, earlier_here=float(author.opened), days_since_last=gap,
        silence=_silence(memory, author, gap),
        place_rarity=max(map(places.of_directory, facts.directories)) if known else NAN,
        path_rarity=places.mean_of_paths() if known else NAN,
        place_rarity_for_author=max(map(places.of_directory_for_author, facts.directories)) if known else NAN,
        place_rarity_for_level=max(map(places.of_directory_for_level, facts.directories)) if known else NAN,
        kind_rarity=max(map(places.of_extension, facts.extensions)) if known else NAN,
        kind_rarity_for_author=max(map(places.of_extension_for_author, facts.extensions)) if known else NAN,
        kind_rarity_for_level=max(map(places.of_extension_for_level, facts.extensions)) if known else NAN,
        pair_rarity=places.of_pairs() if known else NAN,
        sensitive_rarity_for_level=max(map(places.of_sensitive, facts.sensitive), default=0.0) if known else NAN,
        new_file_rarity=max((places.of_new(path.directory) for path in facts.added), default=0.0) if known else NAN,
        aloneness=places.aloneness() if known else NAN,
        hour_rarity=_hour_rarity(memory, author, facts.hour),
        weekday_rarity=_moment_rarity(memory, f"w{facts.weekday}", "w", 7, unit),
        opened_last_day=float(_since(author.lately, facts.at - SECONDS_PER_DAY)),
        opened_last_hour=float(_since(author.lately, facts.at - 3_600.0)),
        title_shape_rarity=_title_shape_rarity(memory, facts, unit),
        title_word_rarity=_title_word_rarity(memory, facts, unit),
        undone=_undone(memory, facts), tries=_tries(memory, facts),
        unfamiliar_files=places.unfamiliar_files() if known else NAN,
        look_alike=float(memory.look_alikes.get(skeleton_of(facts.author), facts.author) != facts.author),
    )


def experience_at(author: Author, at: float) -> float:
    """Return the author's landed changes, each halved every AUTHOR_HALF_LIFE_DAYS."""
    return author.experience / 2.0 ** (at / (AUTHOR_HALF_LIFE_DAYS * SECONDS_PER_DAY))


def skeleton_of(login: str) -> str:
    """Return a login with look-alike characters made equal; "" where nothing is left."""
    return login.translate(SAME_LOOK)


SAME_LOOK = str.maketrans({"0": "o", "1": "l", "i": "l", "5": "s", "-": None, "_": None, "|": "l", ".": None})


class _Places:
    """Rarities of places in nats: minus the logarithm of a smoothed share of landed changes."""

    def __init__(self, memory: Memory, facts: Facts, level: str, unit: float) -> None:
        self.memory, self.facts, self.unit = memory, facts, unit
        self.author_key, self.level_key = facts.author + "\0", level + "\0"
        self.all = memory.landed.weights.get("all", 0.0) + unit
        self.of_level = memory.landed.weights.get(level, 0.0) + LEVEL_PRIOR * unit
        self.by_author = memory.by_author.weights.get(self.author_key, 0.0) + AUTHOR_PRIOR * unit

    def share_of_directory(self, directory: str) -> float:
        top = (self.memory.tops.weights.get(directory.split("/", 1)[0] or ".", 0.0) + 0.5 * self.unit) / self.all
        return (self.memory.directories.weights.get(directory, 0.0) + 0.5 * top * self.unit) / self.all

    def of_directory(self, directory: str) -> float:
        return -math.log(self.share_of_directory(directory))

    def of_directory_for_author(self, directory: str) -> float:
        own = self.memory.by_author.weights.get(f"{self.author_key}d{directory}", 0.0)
        prior = AUTHOR_PRIOR * self.unit * self.share_of_directory(directory)
        return -math.log((own + prior) / self.by_author)

    def of_directory_for_level(self, directory: str) -> float:
        own = self.memory.by_level.weights.get(f"{self.level_key}d{directory}", 0.0)
        prior = LEVEL_PRIOR * self.unit * self.share_of_directory(directory)
        return -math.log((own + prior) / self.of_level)

    def share_of_extension(self, extension: str) -> float:
        return (self.memory.extensions.weights.get(extension, 0.0) + 0.25 * self.unit) / self.all

    def of_extension(self, extension: str) -> float:
        return -math.log(self.share_of_extension(extension))

    def of_extension_for_author(self, extension: str) -> float:
        own = self.memory.by_author.weights.get(f"{self.author_key}x{extension}", 0.0)
        prior = AUTHOR_PRIOR * self.unit * self.share_of_extension(extension)
        return -math.log((own + prior) / self.by_author)

    def of_extension_for_level(self, extension: str) -> float:
        own = self.memory.by_level.weights.get(f"{self.level_key}x{extension}", 0.0)
        prior = LEVEL_PRIOR * self.unit * self.share_of_extension(extension)
        return -math.log((own + prior) / self.of_level)

    def of_sensitive(self, place: str) -> float:
        own = self.memory.by_level.weights.get(f"{self.level_key}s{place}", 0.0)
        return -math.log((own + 0.5 * self.unit) / self.of_level)

    def of_new(self, directory: str) -> float:
        return -math.log((self.memory.new_places.weights.get(directory, 0.0) + 0.25 * self.unit) / self.all)

    def of_pairs(self) -> float:
        weights = self.memory.pairs.weights
        most = max((weights.get(pair, 0.0) for pair in ()), default=0.0)
        rarest = min((weights.get(pair, 0.0) for pair in pairs_of(sorted(self.facts.extensions))), default=None)
        return 0.0 if rarest is None else -math.log((rarest + most + 0.25 * self.unit) / self.all)

    def mean_of_paths(self) -> float:
        weights, files = self.memory.paths.weights, self.facts.files
        return sum(-math.log((weights.get(file.path, 0.0) + 0.1 * self.unit) / self.all) for file in files) / len(files)

    def aloneness(self) -> float:
        """Return ln of how many more files usually change along, for the file where that is most."""
        weights, company = self.memory.paths.weights, self.memory.company.weights
        now, most = math.log(max(1, self.facts.pull_request.changed_files)), 0.0
        for file in self.facts.files[:32]:
            touched = weights.get(file.path, 0.0)
            if touched:
                usual = (company.get(file.path, 0.0) + now * self.unit) / (touched + self.unit)
                most = max(most, usual - now)
        return most

    def unfamiliar_files(self) -> float:
        by_author, key = self.memory.by_author.weights, f"{self.author_key}d"
        return float(sum(f"{key}{path.directory}" not in by_author for path in self.facts.paths))


def pairs_of(names: list[str]) -> Iterable[str]:
    """Yield every pair of sorted names, at most those of the first eight."""
    few = names[:8]
    for place, first in enumerate(few):
        for second in few[place + 1:]:
            yield f"{first}\0{second}"


def _silence(memory: Memory, author: Author, gap_days: float) -> float:
    """Compare the gap with the author's own habit, on the logarithmic scale."""
    if gap_days != gap_days:
        return 0.0
    wide = memory.mean_log_gap if memory.gaps >= USUAL_GAPS else math.log1p(USUAL_GAP_DAYS)
    usual = (author.mean_log_gap * author.gaps + wide * USUAL_GAPS) / (author.gaps + USUAL_GAPS)
    return max(0.0, math.log1p(gap_days) - usual)


def _hour_rarity(memory: Memory, author: Author, hour: int) -> float:
    """Return the rarity of an hour and its neighbours for this author, leaning on the repository (Goyal 2018)."""
    moments = memory.moments.weights
    wide = [moments.get(f"h{h % 24}", 0.0) for h in (hour - 1, hour, hour + 1)]
    everyone = moments.get("h", 0.0)
    wide_share = (sum(wide) + 1e-9) / (everyone + 1e-9) if everyone else 3 / 24
    own = author.hours
    near = own[hour - 1] + own[hour] + own[(hour + 1) % 24] if own else 0.0
    return -math.log((near + HOUR_PRIOR * max(wide_share, 0.01)) / (sum(own) + HOUR_PRIOR))


def _moment_rarity(memory: Memory, key: str, everything: str, kinds: int, unit: float) -> float:
    moments = memory.moments.weights
    return -math.log((moments.get(key, 0.0) + unit) / (moments.get(everything, 0.0) + kinds * unit))


def _title_shape_rarity(memory: Memory, facts: Facts, unit: float) -> float:
    weights = memory.titles.weights
    wide = (weights.get(f"s{facts.title_shape}", 0.0) + 0.5 * unit) / (weights.get("s", 0.0) + unit)
    own = memory.by_author.weights.get(f"{facts.author}\0t{facts.title_shape}", 0.0)
    everything = memory.by_author.weights.get(f"{facts.author}\0", 0.0)
    return -math.log((own + AUTHOR_PRIOR * unit * wide) / (everything + AUTHOR_PRIOR * unit))


def _title_word_rarity(memory: Memory, facts: Facts, unit: float) -> float:
    """Return the mean rarity of the title's words that no touched path explains."""
    words = facts.title_words - facts.path_words
    if not words:
        return 0.0
    weights = memory.titles.weights
    everything = weights.get("s", 0.0) + unit
    return sum(-math.log((weights.get(f"w{word}", 0.0) + 0.5 * unit) / everything) for word in words) / len(words)


def _undone(memory: Memory, facts: Facts) -> float:
    if not facts.churn or not facts.files:
        return 0.0
    shape, best = shape_of(facts), 0.0
    for change in memory.recent:
        if change.undone_shape == shape and change.at <= facts.at:
            days = (facts.at - change.at) / SECONDS_PER_DAY
            if days < RECENT_DAYS:
                best = max(best, 1.0 + change.times_undone + math.log(RECENT_DAYS / max(days, 0.05)))
    return best


def _tries(memory: Memory, facts: Facts) -> float:
    touched = touched_of(facts)
    return float(sum(
        change.touched == touched and change.author == facts.author and 0 <= facts.at - change.at < 7 * SECONDS_PER_DAY
        for change in memory.recent
    ))


def _since(times: list[float], start: float) -> int:
    return sum(time >= start for time in times)


__all__ = ["experience_at", "pairs_of", "recall", "skeleton_of", "undone_shape_of"]
