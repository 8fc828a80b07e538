"""What people see: the list, the explanation, the progress; and nothing that a stranger's title could do."""

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from sentinel.command.explanation import contribution_bar, histogram, print_explanation
from sentinel.command.progress_display import PlainDisplay, stage_table
from sentinel.command.ranked_list import print_ranked_list, shown_percentile, to_json
from sentinel.command.safe_text import visible, visible_lines
from sentinel.command.stage_status import StageStatus, State
from sentinel.command.stage_words import closing_words
from tests.command.made_up_verdicts import VERDICT, verdict

FETCHED = {"read": 766, "new": 700, "changed": 6, "unchanged": 60, "rejected": 0, "wrote_nothing": False}


def printed(show, width=90, terminal=False):
    """Return what `show` prints on a console."""
    output = io.StringIO()
    show(Console(file=output, width=width, force_terminal=terminal, color_system=None))
    return output.getvalue()


@pytest.mark.parametrize("text, expected", [
    ("\x1b[2J wipe", "\\x1b[2J wipe"), ("a\u202eb", "a\\u202eb"), ("a\x00\x9bb", "a\\x00\\x9bb"),
    ("a\u2028b", "a\\u2028b"), ("tab\tline\nend", "tab line end"), ("\U000e0041", "\\U000e0041"),
    ("naïve 漢字 🧑‍💻", "naïve 漢字 🧑‍💻"), ("half \ud83d", "half \\ud83d"),
])
def test_what_a_terminal_would_obey_is_made_visible(text, expected):
    assert expected == visible(text)


def test_long_text_ends_with_an_ellipsis():
    assert "abcd…" == visible("abcdefgh", 5)


def test_lines_stay_lines():
    assert "one\ntwo\\x1b" == visible_lines("one\ntwo\x1b")


def test_list_says_who_when_how_much_and_why():
    lines = printed(lambda console: print_ranked_list(console, [VERDICT])).splitlines()

    assert ["  1  octo/harbour#7  more unusual than 99.99 % here, flagged",
            "     Revert the lock",
            "     ada · 2026-03-01 · +1,200 −3 in 1 file · score 9.5",
            "     • undoes a recent change",
            "     • adds 1,200 lines", ""] == lines


def test_hostile_title_author_and_reason_are_shown_harmlessly():
    evil = "\x1b]0;owned\x07 [bold red]x[/] \u202egpj"
    hostile = verdict(1, 1.0, title=evil, author=evil, reasons=(replace(VERDICT.reasons[0], sentence=evil),))

    shown = printed(lambda console: print_ranked_list(console, [hostile]))

    assert 3 == shown.count("\\x1b]0;owned\\x07 [bold red]x[/]")
    assert not {"\x1b", "\x07", "\u202e"} & set(shown)


def test_deleted_account_and_absent_title_have_words():
    shown = printed(lambda console: print_ranked_list(console, [verdict(1, 1.0, title=None, author=None)]))

    assert "(no title)" in shown and "deleted account" in shown


def test_narrow_terminal_wraps_with_an_indent():
    long = verdict(1, 1.0, reasons=(replace(VERDICT.reasons[0], sentence="word " * 12),))

    lines = printed(lambda console: print_ranked_list(console, [long]), width=40, terminal=True).splitlines()

    assert max(map(len, lines)) <= 40
    assert lines[-2].startswith("       word")


def test_pipe_keeps_each_reason_on_one_line():
    long = verdict(1, 1.0, reasons=(replace(VERDICT.reasons[0], sentence="word " * 60),))

    assert "     • " + "word " * 60 in printed(lambda console: print_ranked_list(console, [long]), width=40)


def test_nothing_to_rank_is_said():
    assert "history is still too short" in printed(lambda console: print_ranked_list(console, []))


def test_percentile_never_rounds_up_to_all():
    assert ["99.99", "99.5", "7"] == [shown_percentile(value) for value in (99.99999, 99.5, 7.0)]


def test_json_holds_the_verdict():
    written = json.loads(to_json([VERDICT]))

    assert ("octo/harbour", 7, "2026-03-01T00:00:00Z") == tuple(written[0][name] for name in (
        "repository", "number", "opened_at"))
    assert "undoes a recent change" == written[0]["reasons"][0]["sentence"]


def test_explanation_draws_reasons_and_the_distribution():
    shown = printed(lambda console: print_explanation(console, VERDICT, [1.0, 2.0, 2.0, 9.5], "v1"), terminal=True)

    assert "  ████████████   7.50  undoes a recent change" in shown
    assert "  █              0.50  adds 1,200 lines" in shown
    assert "scores of 4 pull requests of octo/harbour" in shown
    assert "▲ this one, 9.5   ┆ threshold, 4" in shown


def test_histogram_marks_score_and_threshold_above_their_columns():
    columns, marks, _ = histogram([1.0, 1.0, 1.0, 10.0, 100.0], 100.0, 10.0, 21)

    assert ("█         ▃         ▃", "          ┆         ▲") == (columns, marks)


@pytest.mark.parametrize("scores", [[], [0.0], [3.0, 3.0]])
def test_histogram_of_nothing_or_one_value_is_drawn(scores):
    assert 3 == len(histogram(scores, 3.0, 3.0, 20))


def test_bar_is_seen_for_any_share_and_empty_for_none():
    assert ["█", "", "██████"] == [contribution_bar(share, 9, 12) for share in (0.001, 0, 4.5)]


def test_stages_are_drawn_with_bars_where_there_is_room():
    statuses = [StageStatus("data_fetch", State.DONE, seconds=1.25, facts=FETCHED),
                StageStatus("spark_preprocess", State.RUNNING, 50, 100, "pull_requests"), StageStatus("ml_training")]
    table = stage_table(statuses, 90, {"spark_preprocess": 2.0})

    lines = printed(lambda console: console.print(table)).splitlines()

    assert lines[0].startswith("✓ data_fetch       ━━━━━━━━━━━━━━━━━━━━   1.2 s 700 new · 6 changed · 60 unchanged")
    assert "2.0 s 50 of 100 pull requests" in lines[1]
    assert "· ml_training" == lines[2].rstrip()


def test_narrow_terminal_leaves_the_bars_out():
    table = stage_table([StageStatus("data_fetch", State.DONE, facts=FETCHED)], 50, {})

    shown = printed(lambda console: console.print(table), width=50)

    assert "━" not in shown and shown.count("\n") == 1


def test_plain_lines_tell_each_change_once():
    def show(console):
        display = PlainDisplay(console)
        for state in (State.RUNNING, State.RUNNING, State.DONE):
            display.show([StageStatus("data_fetch", state, seconds=2.0, facts=FETCHED)])

    assert ["data_fetch        starting", "data_fetch        done in 2.0 s: 700 new · 6 changed · 60 unchanged"
            ] == printed(show).splitlines()


@pytest.mark.parametrize("stage, facts, expected", [
    ("data_fetch", FETCHED | {"wrote_nothing": True, "rejected": 2},
     "nothing new, nothing written · 766 read · 2 rejected"),
    ("spark_preprocess", {"outcome": "nothing to do", "n_pull_requests": 9},
     "nothing to do · features of 9 are up to date"),
    ("ml_training", {"trained": False, "reason": "done already"}, "nothing to do · done already"),
    ("ml_training", {"other": 1234, "ok": True, "nested": {}}, "other 1,234 · ok yes"),
    ("made_up", {"share": 0.12345, "text": "a\x1bb"}, "share 0.123 · text a\\x1bb"),
])
def test_closing_facts_become_words(stage, facts, expected):
    assert expected == closing_words(stage, facts)
