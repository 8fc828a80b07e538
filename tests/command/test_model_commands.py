"""Models, promotions and rollbacks as people meet them."""

import json

import pytest

from sentinel.command.__main__ import main
from sentinel.command.model_commands import print_models
from tests.command.test_printing import printed

ROWS = [
    {"number": "2", "aliases": "challenger", "model_version": "20260102T000000Z-b", "gate": "flags 9.0%"},
    {"number": "1", "aliases": "champion", "model_version": "20260101T000000Z-a", "gate": "first model",
     "promoted_by": "ada\x1b", "promoted_because": "agreed", "promoted_at": "2026-01-03T00:00:00+00:00"},
]


def test_each_model_tells_its_gate_and_who_promoted_it():
    text = printed(lambda console: print_models(console, ROWS))

    assert "  2  20260102T000000Z-b  challenger\n     gate: flags 9.0%\n" in text
    assert "ada\\x1b, 2026-01-03: agreed" in text


@pytest.mark.parametrize("arguments", [("models",), ("promote", "1", "--why", "x"), ("rollback", "--why", "x")])
def test_folder_without_models_says_how_to_begin(arguments, tmp_path, capsys):
    assert 2 == main([*arguments, "--data", str(tmp_path)])
    assert "no models yet; begin with `sentinel run`" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [("promote", "1"), ("rollback",)])
def test_move_without_a_reason_is_refused(arguments, capsys):
    assert 2 == main(arguments)
    assert "Missing option '--why'" in capsys.readouterr().err


def test_unknown_model_is_told_in_the_stages_words(tmp_path, capsys):
    (tmp_path / "mlflow.db").touch()

    assert 2 == main(["promote", "7", "--why", "x", "--data", str(tmp_path)])
    assert "pull-request-anomaly: no version 7; there are: none\n" == capsys.readouterr().err


def test_models_as_json_are_an_array(tmp_path, capsys):
    (tmp_path / "mlflow.db").touch()

    assert 0 == main(["models", "--json", "--data", str(tmp_path)])
    assert [] == json.loads(capsys.readouterr().out)
