"""Alerts at a budget, counted forward in time."""

import numpy as np
import pytest

from ml_training.alert_budgets import (
    BUDGETS,
    budget_curve,
    false_alarms_before_first_hit,
    places_among_earlier,
    planted_curve,
)
from ml_training.backtest_summary import summarise
from ml_training.incidents import known_incidents, mark_incidents, read_incidents
from sentinel.errors import DataUnusableError

SCORES = np.random.default_rng(0).exponential(size=3_000)


def test_place_counts_only_earlier_scores_of_the_same_repository():
    places = places_among_earlier([*range(50), 25, 100, 0.5], ["a/a"] * 50 + ["a/a", "a/a", "b/b"])

    assert np.isnan(places[:50]).all() and np.isnan(places[52])
    assert [25 / 50, 0.0] == places[50:52].tolist()


def test_only_the_last_thousand_count():
    places = places_among_earlier([9.0] * 100 + [1.0] * 1_000 + [5.0], ["a/a"] * 1_101)

    assert 0.0 == places[-1]


def test_really_flagged_share_is_near_the_budget():
    """Of 2,950 judged, a share beyond 1 ± 0.9 % has a chance below one in a million."""
    places = places_among_earlier(SCORES, ["a/a"] * len(SCORES))

    curve = budget_curve(places, np.zeros(len(SCORES), bool), np.full(len(SCORES), "a/a"), seed=0)

    assert 0.001 < curve.flagged[BUDGETS.index(0.01), 0] < 0.019
    assert np.isnan(curve.recall).all()


def test_known_one_above_all_is_found_first():
    scores, known = np.append(SCORES, 99.0), np.append(np.zeros(len(SCORES), bool), True)
    places = places_among_earlier(scores, ["a/a"] * len(scores))

    assert 1.0 == budget_curve(places, known, np.full(len(scores), "a/a"), seed=0).recall[0, 0]
    assert 0 <= false_alarms_before_first_hit(places, known) < 30


def test_incidents_are_known_by_commit_or_number(tmp_path):
    path = tmp_path / "known.csv"
    path.write_text("repo,number,sha\nOcto/One,,ABC\nocto/one,7,\n")

    marks = mark_incidents([{"repository": "octo/one", "number": 1, "sha": "abc"},
                            {"repository": "octo/one", "number": 7, "sha": None},
                            {"repository": "octo/two", "number": 7, "sha": None}], read_incidents(path))

    assert [True, True, False] == marks.tolist()


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "repository\n"])
def test_file_without_the_columns_is_refused(tmp_path, text):
    (tmp_path / "known.csv").write_text(text)

    with pytest.raises(DataUnusableError, match="expected repository and number or sha"):
        read_incidents(tmp_path / "known.csv")


def test_simulated_history_knows_what_is_planted():
    assert 21 == len(known_incidents("simulated:", None))
    assert not known_incidents("git:.", None)


def test_summary_says_rate_stability_and_recall():
    lines = [{"repository": "octo/one", "score": score, "flagged": score > 4, "number": row, "sha": None}
             for row, score in enumerate(SCORES.tolist())]

    words = "\n".join(summarise(lines, SCORES > 7, {"octo/one": 10.0}, [0.9, 0.8], 0.01, seed=0).words)

    assert f"{(SCORES > 4).sum() / 10:.2f} alerts per repository and week" in words
    assert "median 0.850, lowest 0.800, 2 retrains" in words
    assert f"{(SCORES > 7).sum()} known incident" in words


def test_alerts_of_planted_ones_are_counted_among_the_usual_alone():
    usual, planted = np.arange(1_000.0), np.array([5_000.0] * 30 + [960.0] * 20 + [0.0] * 50)

    curve = planted_curve(usual, planted, seed=0)

    place = BUDGETS.index(0.05)
    assert (0.5, 0.3) == (curve.recall[place, 0], curve.recall[BUDGETS.index(0.02), 0])
    assert 0.05 == pytest.approx(curve.flagged[place, 0], abs=1.1e-3)
    assert curve.recall[place, 1] < 0.5 < curve.recall[place, 2]
