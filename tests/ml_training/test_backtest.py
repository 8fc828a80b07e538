"""A replay knows only the past."""

from datetime import UTC, datetime, timedelta

import numpy as np
import orjson
import pytest

from ml_training.backtest import backtest, main
from ml_training.rolling_model import RollingModel
from ml_training.settings import default_hyperparameters
from sentinel.errors import DataUnusableError, NotFoundError, SettingsError
from sentinel.history.replay import replay_features
from sentinel.pull_request import parse_pull_request
from sentinel.sources.in_order import read_records

START = datetime(2025, 1, 1, tzinfo=UTC)
SETTINGS = default_hyperparameters(max_steps=10, min_steps=10, n_networks=1, hidden_width=8, alert_budget=0.05)


def make_payload(place, **fields):
    generator = np.random.default_rng(place)
    return {
        "number": None, "title": f"Fix part {place % 7}",
        "created_at": (START + timedelta(hours=3 * place)).isoformat(),
        "user": {"login": f"author{place % 5}", "type": "User"}, "base": {"repo": {"full_name": "octo/one"}},
        "additions": int(generator.integers(1, 40)), "deletions": 1, "changed_files": 1,
        "files": [{"filename": f"src/part{place % 7}.py", "status": "modified", "additions": 2, "deletions": 1}],
        **fields,
    }


def make_records(n_records):
    return [parse_pull_request(make_payload(place), number=place + 1) for place in range(n_records)]


def test_later_records_change_no_earlier_line():
    whole = list(backtest(make_records(130), "source", SETTINGS))

    cut = list(backtest(make_records(105), "source", SETTINGS))

    assert cut == whole[:105]


def test_every_record_gets_one_line():
    lines = list(backtest(make_records(60), "source", SETTINGS))

    assert list(range(60)) == [line["index"] for line in lines]
    assert 50 == sum(line["warm_up"] for line in lines)
    assert all(np.isfinite(line["score"]) for line in lines)


def test_odd_record_is_flagged_with_reasons():
    records = make_records(110)
    records[108] = parse_pull_request(make_payload(
        108, title="zzz", user={"login": "stranger", "type": "User"}, additions=9_000,
        files=[{"filename": "deploy/keys/secret.sh", "status": "added", "additions": 9_000, "deletions": 0}],
    ), number=109)

    line = list(backtest(records, "source", SETTINGS))[108]

    assert line["flagged"]
    assert line["reasons"]


def test_order_of_opening_keeps_the_places_of_the_source():
    records = make_records(20)[::-1]

    lines = list(backtest(records, "opened", SETTINGS))

    assert list(range(19, -1, -1)) == [line["index"] for line in lines]
    assert list(range(1, 21)) == [line["number"] for line in lines]


def test_outcome_counts_only_once_it_is_known():
    payloads = [make_payload(place) for place in range(30)]
    late = [{**payload, "merged_at": (START + timedelta(days=900)).isoformat()} for payload in payloads]

    without, with_late = ([row.values for row in replay_features(enumerate(
        parse_pull_request(payload, number=place + 1) for place, payload in enumerate(version)))]
        for version in (payloads, late))

    assert np.array_equal(without, with_late, equal_nan=True)


def test_lines_without_number_are_counted(tmp_path):
    (tmp_path / "prs.jsonl").write_bytes(b"\n".join(orjson.dumps(make_payload(place)) for place in range(3)))

    numbers = [record.pull_request.number for record in read_records(f"jsonl:{tmp_path / 'prs.jsonl'}")]

    assert [1, 2, 3] == numbers


@pytest.mark.parametrize("uri, error", [
    ("jsonl:nowhere.jsonl", NotFoundError), ("ftp:octo/one", SettingsError),
])
def test_source_that_cannot_be_replayed_is_refused(uri, error):
    with pytest.raises(error):
        list(read_records(uri))


def test_line_that_is_no_pull_request_is_named(tmp_path):
    (tmp_path / "prs.jsonl").write_text("{}\n")

    with pytest.raises(DataUnusableError, match="prs.jsonl:1: "):
        list(read_records(f"jsonl:{tmp_path / 'prs.jsonl'}"))


def test_command_writes_lines_plot_and_summary(tmp_path, monkeypatch, capsys):
    (tmp_path / "prs.jsonl").write_bytes(b"\n".join(orjson.dumps(make_payload(place)) for place in range(70)))
    (tmp_path / "known.csv").write_text("repository,number\nocto/one,60\n")
    monkeypatch.setattr("sys.argv", ["backtest", f"jsonl:{tmp_path / 'prs.jsonl'}", "--out",
                                     str(tmp_path / "out.jsonl"), "--incidents", str(tmp_path / "known.csv")])

    with pytest.raises(SystemExit) as ended:
        main()

    closing = orjson.loads(capsys.readouterr().out.splitlines()[-1])
    assert 0 == ended.value.code
    assert 70 == len((tmp_path / "out.jsonl").read_bytes().splitlines()) == closing["read"]
    assert (tmp_path / "out.png").is_file()
    assert any(words.startswith("1 known incident; ") for words in closing["summary"])


def test_empty_source_is_told(tmp_path, monkeypatch, capsys):
    (tmp_path / "prs.jsonl").touch()
    monkeypatch.setattr("sys.argv", ["backtest", f"jsonl:{tmp_path / 'prs.jsonl'}", "--out", str(tmp_path / "out")])

    with pytest.raises(SystemExit) as ended:
        main()

    assert 65 == ended.value.code
    assert "no pull request in it" in capsys.readouterr().out


def test_each_retrain_tells_how_stable_the_order_is():
    model = RollingModel(SETTINGS)

    list(backtest(make_records(201), "source", SETTINGS, model))

    assert 2 == len(model.stability)  # at 100 and 200; at 50 there was no model before
    assert all(-1 <= correlation <= 1 for correlation in model.stability)
