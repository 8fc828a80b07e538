"""What is counted of the quality of features, and what of it warns or stops a run."""

import json
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest

from sentinel.errors import DataUnusableError
from sentinel.features import CATALOGUE, FEATURE_NAMES
from sentinel.object_store import FolderStore
from spark_preprocess.publish import Summary
from spark_preprocess.quality import check_quality, stop_where_hard
from spark_preprocess.quality_counts import (
    RepositoryCounter, RepositoryCounts, count_features, features_of_json, repository_of_json, to_json,
)
from spark_preprocess.quality_page import to_html
from spark_preprocess.spark_preprocess import publish_quality
from tests.spark_preprocess.conftest import made_up

NOW = datetime(2026, 3, 10, tzinfo=UTC)
GOOD = tuple(feature.lowest for feature in CATALOGUE)
USUAL = RepositoryCounts("octo/pier", 200, 0, 0, 0, by_top_author=60, top_author="anna", on_top_day=3,
                         top_day="2026-01-02")


def vector(**values: float) -> tuple[float, ...]:
    """Return a good vector with other values for some features."""
    return tuple(values.get(name, value) for name, value in zip(FEATURE_NAMES, GOOD))


def checked(rows=(GOOD,) * 200, repositories=(USUAL,)):
    """Return the report of rows and repositories."""
    return check_quality("run", [count_features(rows)], repositories)


def found(report) -> list[tuple[str, str, str]]:
    return [(finding.severity, finding.check, finding.subject) for finding in report.findings]


def test_good_rows_give_no_finding():
    report = checked()

    assert () == report.findings
    stop_where_hard(report, "file:///x")


@pytest.mark.parametrize(("values", "expected"), [
    ([41.0], ("soft", "outside", "log_additions")), ([-0.5], ("soft", "outside", "log_additions")),
    ([40.0 + 1e-12], None), ([math.nan], None),
    ([41.0] * 3, ("hard", "outside", "log_additions")), ([math.inf], ("hard", "infinite", "log_additions"))])
def test_values_outside_the_range_are_found(values, expected):
    bad = [vector(log_additions=value) for value in values]

    report = checked([*bad, *[GOOD] * (200 - len(bad))])

    hardest = found(report)[:1]
    assert ([] if expected is None else [expected]) == hardest


def test_what_is_hard_is_not_told_again_as_soft():
    report = checked([vector(log_additions=41.0)] * 3 + [GOOD] * 197)

    assert [("hard", "outside", "log_additions")] == found(report)


@pytest.mark.parametrize(("changes", "expected"), [
    ({"duplicates": 1}, ("soft", "duplicates", "octo/pier")), ({"future": 2}, ("soft", "future", "octo/pier")),
    ({"ancient": 1}, ("soft", "ancient", "octo/pier")), ({"by_top_author": 101}, ("soft", "top_author", "octo/pier")),
    ({"on_top_day": 41}, ("soft", "top_day", "octo/pier")),
    ({"n_rows": 99, "by_top_author": 99, "on_top_day": 99}, None)])
def test_odd_repositories_are_found(changes, expected):
    report = checked(repositories=[replace(USUAL, **changes)])

    assert ([] if expected is None else [expected]) == found(report)


@pytest.mark.parametrize("check", ["duplicates", "future"])
def test_too_many_bad_rows_of_all_are_hard_and_the_repository_is_named(check):
    report = checked(repositories=[USUAL, replace(USUAL, repository="octo/quay", **{check: 3})])

    assert [("hard", check, "all"), ("soft", check, "octo/quay")] == found(report)


def test_hard_findings_stop_with_their_words():
    report = checked(repositories=[replace(USUAL, future=20)])

    with pytest.raises(DataUnusableError, match=r"all: 10.00% opened in the future, expected at most 1%\); see file:/"):
        stop_where_hard(report, "file:///quality.html")


def test_counts_of_parts_add_up_to_those_of_all_rows():
    rows = [vector(log_additions=value) for value in (1.0, math.nan, 41.0, 2.0)] + [(math.nan,) * len(GOOD)]

    parts = count_features(rows[:1]) + count_features(rows[1:2]) + count_features(rows[2:])

    assert count_features(rows) == parts
    assert (2, 1, 1.0, 41.0) == (parts.unknown[0], parts.outside[0], parts.lowest[0], parts.highest[0])


def test_feature_that_no_row_knows_has_no_extremes():
    counts = count_features([vector(log_files=math.nan)] * 2)

    place = FEATURE_NAMES.index("log_files")
    assert (2, None, None) == (counts.unknown[place], counts.lowest[place], counts.highest[place])


def test_repository_is_counted_row_by_row():
    counter = RepositoryCounter("octo/pier", NOW)
    opened = made_up("octo/pier", 12).pull_request
    times = (NOW, NOW + timedelta(hours=2), NOW - timedelta(days=9000), NOW)
    for number, author, at in zip((1, 2, 3, 1), ("anna", "bert", "anna", None), times):
        counter.add(replace(opened, number=number, author=author, opened_at=at))

    assert RepositoryCounts("octo/pier", 4, 1, 1, 1, 2, "anna", 3, "2026-03-10") == counter.counts()


def test_counts_travel_as_json():
    features, repository = count_features([GOOD, vector(log_files=math.nan)]), USUAL

    assert (features, repository) == (features_of_json(to_json(features)), repository_of_json(to_json(repository)))


def test_report_as_json_tells_findings_in_words_and_every_feature():
    told = json.loads(checked(repositories=[replace(USUAL, future=1)]).to_json())

    assert "octo/pier: 0.50% opened in the future, expected at most 0%" == told["findings"][0]["text"]
    assert list(FEATURE_NAMES) == list(told["features"])
    log_files = told["features"]["log_files"]
    assert ([0.0, 40.0], 0.0, 0) == (log_files["expected"], log_files["lowest"], log_files["unknown"])


def test_page_escapes_what_comes_from_outside_and_closes_its_tags():
    name = '<script>alert("x")</script>'
    page = to_html(checked(repositories=[replace(USUAL, repository=name, top_author=name, future=1)]))

    assert name not in page
    assert 3 == page.count("&lt;script&gt;")
    assert Balance().of(page) == []
    assert "pull requests of 1 repository." in page


def test_report_is_published_before_a_hard_finding_stops_the_run(tmp_path):
    store = FolderStore("file:///x", tmp_path)
    summaries = [Summary("part", "part-1", 200, counts=to_json(count_features([GOOD] * 200))),
                 Summary("repository", "octo/pier", 200, counts=to_json(replace(USUAL, future=20)))]

    with pytest.raises(DataUnusableError, match="file:///x/features/run/quality.html"):
        publish_quality(store, "run", summaries)

    assert ["features/run/quality.html", "features/run/quality.json"] == store.names("")


class Balance(HTMLParser):
    """The tags that are still open at the end."""

    def of(self, page: str) -> list[str]:
        """Read a page."""
        self.open: list[str] = []
        self.feed(page)
        return self.open

    def handle_starttag(self, tag: str, attrs: object) -> None:
        """Open a tag; `meta` has no end."""
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close the tag opened last."""
        assert tag == self.open.pop()
