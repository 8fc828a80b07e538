"""Why one pull request is unusual: each reason's share, and its place among its neighbours."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sentinel.command.printing import print_hanging
from sentinel.command.ranked_list import LONGEST_TITLE, facts_of, place_in_repository
from sentinel.command.safe_text import visible
from sentinel.judged import JudgedPullRequest, Reason

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

COLUMN_HEIGHTS = " ▁▂▃▄▅▆▇█"
BAR_WIDTH, HISTOGRAM_WIDTH, NARROWEST = 12, 60, 20
REASON_INDENT = 2 + BAR_WIDTH + 9
SMALLEST_SCORE = 1e-9  # the scale of the histogram is logarithmic


def print_explanation(console: "Console", verdict: JudgedPullRequest, scores: Sequence[float],
                      model_version: str) -> None:
    """Print the verdict, its reasons with bars, and the histogram of the repository's scores."""
    from rich.text import Text

    print_hanging(console, Text.assemble((visible(verdict.name), "bold"), "  ", place_in_repository(verdict)))
    print_hanging(console, Text(visible(verdict.title or "(no title)", LONGEST_TITLE)))
    print_hanging(console, Text(facts_of(verdict), style="dim"))
    if verdict.warm_up:
        print_hanging(console, Text("opened when the history here was still too short to know what is usual"))
    console.print("\nunusual here, because\n" if verdict.reasons else "\nno single thing about it stands out")
    largest = max((reason.contribution for reason in verdict.reasons), default=0.0)
    for reason in verdict.reasons:
        print_hanging(console, _reason_line(reason, largest), REASON_INDENT)
    console.print(f"\nscores of {len(scores):,} pull requests of {visible(verdict.repository)}\n",
                  markup=False, highlight=False)
    width = max(NARROWEST, min(HISTOGRAM_WIDTH, console.width - 4))
    for line in histogram(scores, verdict.score, verdict.threshold, width):
        console.print(f"  {line}", markup=False, highlight=False, soft_wrap=True)
    console.print(Text(f"\nmodel version {visible(model_version)}", style="dim"), soft_wrap=True)


def histogram(scores: Sequence[float], score: float, threshold: float, width: int) -> list[str]:
    """Draw scores as columns on a logarithmic scale, and below them this score (▲) and the threshold (┆)."""
    lowest = _logarithm(min([score, threshold, *scores]))
    highest = _logarithm(max([score, threshold, *scores]))
    step = (highest - lowest) / width or 1.0

    def column(value: float) -> int:
        return min(width - 1, int((_logarithm(value) - lowest) / step))

    counts = [0] * width
    for value in scores:
        counts[column(value)] += 1
    most = max(counts) or 1
    # A column with anything in it is seen, however high the highest is.
    columns = "".join(COLUMN_HEIGHTS[math.ceil(count / most * (len(COLUMN_HEIGHTS) - 1))] for count in counts)
    marks = [" "] * width
    marks[column(threshold)] = "┆"
    marks[column(score)] = "▲"
    return [columns, "".join(marks).rstrip(), f"▲ this one, {score:.3g}   ┆ threshold, {threshold:.3g}"]


def contribution_bar(contribution: float, largest: float, width: int = BAR_WIDTH) -> str:
    """Draw a contribution beside the largest one."""
    share = max(0.0, contribution) / largest if largest > 0 else 0.0
    return "█" * max(round(share * width), 1 if contribution > 0 else 0)


def _reason_line(reason: Reason, largest: float) -> "Text":
    from rich.text import Text

    bar = f"{contribution_bar(reason.contribution, largest):<{BAR_WIDTH}}"
    line = Text.assemble("  ", (bar, "cyan"), f"{reason.contribution:>7.2f}  ", visible(reason.sentence))
    return line


def _logarithm(value: float) -> float:
    return math.log(max(value, SMALLEST_SCORE))
