"""Features of the change by itself: its size, sensitive places, and how it hides."""

import math
from collections.abc import Callable
from operator import attrgetter

from sentinel.features.facts import PROMISES_OF_TEXT, Facts, hostile_text, line_entropy, locks_without_manifest
from sentinel.features.feature import Feature, count_feature, flag_feature, size_feature, surprise
from sentinel.features.situation import Situation

NAN = math.nan


def _of_files(read: Callable[[Facts], float]) -> Callable[[Situation], float]:
    def compute(situation: Situation) -> float:
        facts = situation.facts
        return float(read(facts)) if facts.files else NAN
    return compute


def _count_sensitive(place: str) -> Callable[[Situation], float]:
    def compute(situation: Situation) -> float:
        facts = situation.facts
        if not facts.sensitive:
            return 0.0 if facts.files else NAN
        return float(facts.sensitive.get(place, 0))
    return compute


def _broken_promise(facts: Facts) -> float:
    if facts.title_words.isdisjoint(PROMISES_OF_TEXT):
        return 0.0
    return facts.effective_lines / (facts.n_lines + len(facts.lines)) * facts.log_churn


def _small_beside_generated(facts: Facts) -> float:
    """Return how many times larger the machine-made part is than the rest, on the logarithmic scale."""
    share = facts.generated_lines / max(1, facts.n_lines) if facts.generated_lines else 0.0
    return math.log(1.0 / max(1.0 - share, 1e-4)) if 0.5 < share < 1.0 else 0.0


SIZE = (
    size_feature("log_additions", "size", "adds {}", "line", "Zeng et al. 2021",
                 lambda s: math.log1p(s.facts.pull_request.additions)),
    size_feature("log_deletions", "size", "removes {}", "line", "Kamei et al. 2013",
                 lambda s: math.log1p(s.facts.pull_request.deletions)),
    size_feature("log_files", "size", "touches {}", "file", "Kamei et al. 2013",
                 lambda s: math.log1p(s.facts.pull_request.changed_files)),
    Feature("line_entropy", "size", "share", 0.0, 1.0,
            lambda value: f"spreads its lines over its files to {value:.0%} of the possible", "Kamei et al. 2013",
            _of_files(line_entropy)),
    surprise("size_surprise", "size", "changes this many lines", "Goyal et al. 2018", lambda s: s.facts.log_churn, 16),
    surprise("spread_surprise", "size", "touches this many directories", "Kamei et al. 2013",
             _of_files(lambda facts: math.log1p(max(0, len(facts.directories) - 1))), 5),
    surprise("size_for_author_surprise", "size", "is larger than this author's changes usually are",
             "Goyal et al. 2018", lambda s: s.larger_than_own, 10),
)
SENSITIVE = (
    count_feature("ci_files", "what", "touches {}", "CI workflow", "Gonzalez et al. 2021",
                  _count_sensitive("ci")),
    count_feature("build_files", "what", "touches {}", "build or shell script", "OpenSSF alert on xz",
                  _count_sensitive("build")),
    count_feature("dependency_files", "what", "touches {}", "dependency manifest or lock file",
                  "Gonzalez et al. 2021", _count_sensitive("dependency")),
    count_feature("policy_files", "what", "touches {}", "ownership, hook or agent-instruction file",
                  "domain notes, 2.1", _count_sensitive("policy")),
    count_feature("locks_without_manifest", "what", "changes {} without the manifest", "lock file",
                  "lockfile-lint", _of_files(locks_without_manifest)),
    count_feature("binary_files", "what", "adds or changes {}", "binary file", "OpenSSF alert on xz",
                  _of_files(attrgetter("binary_files"))),
    count_feature("mode_changes", "what", "makes {} executable, a link or a submodule", "file", "Gonzalez et al. 2021",
                  _of_files(attrgetter("mode_changes"))),
    count_feature("removed_tests", "what", "removes {}", "test file", "OpenSSF alert on xz",
                  _of_files(attrgetter("removed_tests"))),
    surprise("sensitive_for_author_surprise", "what",
             "touches a kind of sensitive file unusual for this author (CI, build, dependencies, policy)",
             "Gonzalez et al. 2021", lambda s: s.sensitive_for_author, 10),
    surprise("sensitive_for_level_surprise", "what",
             "touches a kind of sensitive file unusual for authors of this experience (CI, build, dependencies, "
             "policy)", "Gonzalez et al. 2021", lambda s: s.sensitive_for_level, 10),
)
HIDING = (
    count_feature("hostile_text", "hiding", "carries {} in title, branch or file names",
                  "shell or invisible character", "Panther; Ultralytics and Nx incidents",
                  lambda s: float(hostile_text(s.facts))),
    surprise("promise_surprise", "promise", "promises only text in its title, and changes code", "CommitEval",
             _of_files(_broken_promise), 10),
    surprise("beside_generated_surprise", "hiding", "has a small edit beside large machine-made files",
             "lockfile-lint", _of_files(_small_beside_generated), 10),
    surprise("hidden_for_level_surprise", "hiding",
             "touches a hidden file or folder unusual for authors of this experience", "domain notes, 2.1",
             lambda s: s.hidden_for_level, 12),
    flag_feature("looks_like_other", "author", "comes from a name that looks like another author's",
                 "comes from a name of its own", "domain notes, D7", lambda s: float(s.looks_like_other)),
)
