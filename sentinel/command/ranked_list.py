"""The ranked list of unusual pull requests, for a terminal or a pipe."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import orjson

from sentinel.command.printing import print_hanging
from sentinel.command.safe_text import visible
from sentinel.judged import JudgedPullRequest, Reason

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

REASONS_SHOWN = 3
LONGEST_TITLE, LONGEST_AUTHOR = 100, 39  # GitHub's own limit of a login
INDENT, BULLET_INDENT = 5, 7


def print_ranked_list(console: "Console", verdicts: Sequence[JudgedPullRequest]) -> None:
    """Print each pull request with its place, its size and why it is unusual."""
    if not verdicts:
        console.print("no pull request to rank: the history is still too short to know what is usual")
    for place, verdict in enumerate(verdicts, start=1):
        for line, indent in ranked_lines(place, verdict):
            print_hanging(console, line, indent)
        console.print()


def ranked_lines(place: int, verdict: JudgedPullRequest) -> Iterator[tuple["Text", int]]:
    """Yield the lines of one pull request, each with the indent of its continuation."""
    from rich.text import Text

    place_here, style = place_in_repository(verdict)
    heading = Text.assemble(f"{place:>3}  ", (visible(verdict.name), "bold"), "  ", (place_here, style))
    yield heading, INDENT
    yield Text(" " * INDENT + visible(verdict.title or "(no title)", LONGEST_TITLE)), INDENT
    yield Text(" " * INDENT).append(facts_of(verdict), "dim"), INDENT
    for reason in verdict.reasons[:REASONS_SHOWN]:
        yield bullet(reason), BULLET_INDENT


def bullet(reason: Reason) -> "Text":
    """Return a reason as one line of a list."""
    from rich.text import Text

    return Text.assemble(" " * INDENT, ("• ", "cyan"), visible(reason.sentence))


def place_in_repository(verdict: JudgedPullRequest) -> tuple[str, str]:
    """Say how unusual it is, and in which colour."""
    words = f"more unusual than {shown_percentile(verdict.percentile)} % here"
    return (f"{words}, flagged", "yellow") if verdict.is_unusual else (words, "dim")


def facts_of(verdict: JudgedPullRequest) -> str:
    """Say who, when and how much, on one line."""
    files = f"{verdict.changed_files:,} file{'' if verdict.changed_files == 1 else 's'}"
    return (f"{visible(verdict.author or 'deleted account', LONGEST_AUTHOR)} · {verdict.opened_at:%Y-%m-%d} · "
            f"+{verdict.additions:,} −{verdict.deletions:,} in {files} · score {verdict.score:.3g}")


def shown_percentile(percentile: float) -> str:
    """Return a percentile that never rounds up to all."""
    return f"{min(percentile, 99.99):.2f}".rstrip("0").rstrip(".")


def to_json(verdicts: Sequence[JudgedPullRequest]) -> str:
    """Return the verdicts as a JSON array, for other programs."""
    written = [asdict(verdict) for verdict in verdicts]
    return orjson.dumps(written, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z).decode()
