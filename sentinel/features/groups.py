"""The features of the metadata, group by group."""

import math

from sentinel.features.facts import effective_share, entropy_of_lines, locks_without_manifest, promises_only_text
from sentinel.features.feature import Feature, count_in_words, from_log, surprise
from sentinel.features.situation import Situation


def _log(value: float) -> float:
    return math.log1p(value)


SIZE = (
    Feature("log_additions", "size", "ln(1 + lines)", 0, 40,
            lambda value: f"adds {count_in_words(from_log(value), 'line')}", "Zeng et al. 2021",
            lambda s: _log(s.facts.pull_request.additions)),
    Feature("log_deletions", "size", "ln(1 + lines)", 0, 40,
            lambda value: f"removes {count_in_words(from_log(value), 'line')}", "Kamei et al. 2013",
            lambda s: _log(s.facts.pull_request.deletions)),
    Feature("log_files", "size", "ln(1 + files)", 0, 40,
            lambda value: f"touches {count_in_words(from_log(value), 'file')}", "Kamei et al. 2013",
            lambda s: _log(s.facts.pull_request.changed_files)),
    Feature("line_entropy", "size", "share", 0, 1,
            lambda value: f"spreads its lines over its files {value:.0%} evenly", "Kamei et al. 2013",
            lambda s: entropy_of_lines(s.facts.files)),
    surprise("size_surprise", "size", "is this large", "Goyal et al. 2018",
             lambda s: _log(s.facts.churn), 16),
    surprise("spread_surprise", "size", "touches this many directories", "Kamei et al. 2013",
             lambda s: _log(len(s.facts.directories)), 6),
)
PLACE = (
    surprise("place_surprise", "place", "touches a directory that seldom changes", "Gonzalez et al. 2021",
             lambda s: s.place_rarity, 16),
    surprise("path_surprise", "place", "touches files that seldom change", "Gonzalez et al. 2021",
             lambda s: s.path_rarity, 16),
    surprise("pair_surprise", "place", "changes types of files together that seldom change together",
             "Goyal et al. 2018", lambda s: s.pair_rarity, 12),
    surprise("kind_surprise", "place", "touches a type of file that seldom changes", "Goyal et al. 2018",
             lambda s: s.kind_rarity, 12),
    surprise("new_file_surprise", "place", "adds a file where files are seldom added", "replay baselines",
             lambda s: s.new_file_rarity, 12),
    surprise("alone_surprise", "place", "changes a file alone that usually changes along with many",
             "replay baselines", lambda s: s.aloneness, 6),
)
AUTHOR = (
    Feature("log_experience", "author", "ln(1 + changes)", 0, 20,
            lambda value: f"is by an author with {count_in_words(from_log(value), 'landed change')} here lately",
            "Kamei et al. 2013", lambda s: _log(s.experience)),
    Feature("is_first", "author", "yes or no", 0, 1,
            lambda value: "is the author's first here" if value else "is not the author's first here",
            "Gonzalez et al. 2021", lambda s: float(s.earlier_here == 0)),
    Feature("log_unfamiliar_files", "author", "ln(1 + files)", 0, 10,
            lambda value: f"touches {count_in_words(from_log(value), 'file')} in places that this author has never "
                          "touched", "Gonzalez et al. 2021", lambda s: _log(s.unfamiliar_files)),
    surprise("place_for_author_surprise", "author", "touches a directory unusual for this author",
             "Gonzalez et al. 2021", lambda s: s.place_rarity_for_author, 16),
    surprise("place_for_level_surprise", "author", "touches a directory unusual for authors of this experience",
             "replay baselines", lambda s: s.place_rarity_for_level, 16),
    surprise("kind_for_author_surprise", "author", "touches a type of file unusual for this author",
             "Goyal et al. 2018", lambda s: s.kind_rarity_for_author, 12),
    surprise("kind_for_level_surprise", "author", "touches a type of file unusual for authors of this experience",
             "replay baselines", lambda s: s.kind_rarity_for_level, 12),
    surprise("sensitive_for_level_surprise", "author",
             "touches build, CI, dependency or policy files, unusual for authors of this experience",
             "Gonzalez et al. 2021", lambda s: s.sensitive_rarity_for_level, 10),
    surprise("silence_surprise", "author", "ends a silence that is long for this author", "xygeni commit_anomalous",
             lambda s: s.silence, 8),
    Feature("looks_like_other", "author", "yes or no", 0, 1,
            lambda value: "comes from a name that looks like a known author's" if value
            else "comes from a name of its own", "domain notes, D7", lambda s: s.look_alike),
)
MOMENT = (
    surprise("hour_surprise", "moment", "comes at an hour unusual for this author", "Goyal et al. 2018",
             lambda s: s.hour_rarity, 6),
    surprise("weekday_surprise", "moment", "comes on an unusual day of the week", "xygeni commit_anomalous",
             lambda s: s.weekday_rarity, 6),
    surprise("burst_surprise", "moment", "is one of many by this author within a day", "anti-slop",
             lambda s: s.opened_last_day, 8),
    surprise("tries_surprise", "moment", "tries the same files again", "domain notes, 2.3", lambda s: s.tries, 8),
    surprise("undo_surprise", "moment", "undoes a recent change", "replay baselines", lambda s: s.undone, 12),
)
TEXT = (
    surprise("title_shape_surprise", "text", "has a title of a form unusual for this author", "replay baselines",
             lambda s: s.title_shape_rarity, 10),
    surprise("title_word_surprise", "text", "has unusual words in its title", "replay baselines",
             lambda s: s.title_word_rarity, 12),
    surprise("promise_surprise", "text", "promises only text, and changes code", "CommitEval",
             lambda s: _broken_promise(s), 10),
)
PLACES_AT_RISK = (
    Feature("locks_without_manifest", "sensitive", "files", 0, 10,
            lambda value: f"changes {count_in_words(value, 'lock file')} without the manifest", "lockfile-lint",
            lambda s: float(locks_without_manifest(s.facts))),
)


def _broken_promise(situation: Situation) -> float:
    facts = situation.facts
    if not facts.files or not promises_only_text(facts.pull_request.title):
        return 0.0
    return effective_share(facts) * _log(facts.churn)
