"""One pull request's features, read from the newest run and drawn."""

import json
import math
from datetime import datetime, timedelta

import numpy as np
import pytest

from sentinel.command.__main__ import main
from sentinel.command.features_command import percentile_here, spread
from sentinel.command.folded_features import fold_vector
from sentinel.command.stored_features import read_vector
from sentinel.errors import NotFoundError
from sentinel.features import FEATURE_NAMES
from sentinel.history import Event, RepositoryHistory
from sentinel.object_store import FolderStore
from sentinel.sources.in_order import read_records
from tests.ml_training.small_features import make_rows, publish_features


@pytest.fixture
def store(tmp_path):
    """Return the store of a data folder with 60 rows of one repository."""
    store = FolderStore("", tmp_path / "objects")
    X = make_rows(60)
    X[41, ::3] = 8.0
    publish_features(store, X)
    return store


def test_vector_is_found_with_the_columns_of_its_repository(store):
    vector = read_vector(store, "Octo/One", 3)

    X = make_rows(60)
    assert np.array_equal(X[2], [vector.values[name] for name in FEATURE_NAMES], equal_nan=True)
    assert 60 == len(vector.columns[FEATURE_NAMES[0]])


@pytest.mark.parametrize("name, number, text", [
    ("octo/two", 1, "no features of octo/two; there are some of: octo/one"),
    ("octo/one", 99, "no features of octo/one#99; octo/one has 60, from #1 to #60"),
])
def test_unknown_pull_request_says_what_there_is(store, name, number, text):
    with pytest.raises(NotFoundError, match=text):
        read_vector(store, name, number)


def test_unusual_features_are_shown_and_usual_ones_on_demand(store, tmp_path, capsys):
    assert 0 == main(["features", "octo/one#42", "--data", str(tmp_path)])
    few = capsys.readouterr().out
    assert 0 == main(["features", "octo/one#42", "--all", "--data", str(tmp_path)])

    assert "reached by fewer than 1 in 1,000 changes here" in few
    assert "more are as usual here, --all shows them" in few
    assert few.count("\n") < capsys.readouterr().out.count("\n")


@pytest.fixture
def source(tmp_path):
    """Return a file of JSON lines: some with a number, then one that landed as a commit of its own."""
    lines = [{
        "number": number if number < 70 else None, "title": f"Moor boat {number}", "user": {"login": "ada"},
        "created_at": f"{datetime(2025, 1, 1) + timedelta(days=number)}+00:00",
        "base": {"ref": "main", "repo": {"full_name": "octo/harbour"}}, "merge_commit_sha": f"{number:040x}",
        "files": [{"filename": "quay.py" if number < 70 else "tide.zig", "additions": 1}],
    } for number in range(1, 80)]
    (tmp_path / "history.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return f"jsonl:{tmp_path / 'history.jsonl'}"


@pytest.mark.parametrize("name", ["octo/harbour#70", f"{70:040x}"])
def test_change_of_a_source_is_shown_without_a_run(source, name, capsys):
    assert 0 == main(["features", name, "--source", source])

    said = " ".join(capsys.readouterr().out.split())
    assert "touches a type of file that seldom changes (reached by" in said
    assert "it and the 69 before it in jsonl:" in said


@pytest.mark.parametrize("order", ["opened", "source"])
def test_folded_vector_is_that_of_the_history_before_it(source, order):
    records = list(read_records(source))
    history = RepositoryHistory("octo/harbour")
    for record in records[:69]:
        history.observe(Event("opened", record.pull_request.opened_at, record.pull_request))

    vector = fold_vector(source, "octo/harbour#70", order)

    assert np.array_equal(history.features(records[69].pull_request), list(vector.values.values()), equal_nan=True)
    assert {70} == set(map(len, vector.columns.values()))


def test_change_that_a_source_does_not_hold_is_told(source, capsys):
    assert 2 == main(["features", "abcdef1", "--source", source])

    assert "none of its 79 records is abcdef1" in capsys.readouterr().err


def test_place_counts_ties_half_and_absent_not_at_all():
    assert 50.0 == percentile_here(np.array([1.0, 1.0, math.nan]), 1.0)
    assert math.isnan(percentile_here(np.array([1.0]), math.nan))


def test_spread_shows_single_values_beside_many():
    bars, here = spread(np.array([0.0] * 1000 + [12.0]), 12.0)

    assert ("█", "▁", 11) == (bars[0], bars[11], here)
