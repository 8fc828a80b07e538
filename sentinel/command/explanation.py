"""Why one pull request is unusual: each reason's share, and its place among its neighbours."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sentinel.command.ranked_list import facts_of, place_in_repository, shown_percentile
from sentinel.command.safe_text import visible
from sentinel.command.verdicts import Verdict

if TYPE_CHECKING:
    from rich.console import Console

COLUMN_HEIGHTS = " ▁▂▃▄▅▆▇█"
BAR_WIDTH, HISTOGRAM_WIDTH, NARROWEST = 14, 60, 20
SMALLEST_SCORE = 1e-9  # the scale of the histogram is logarithmic


def print_explanation(console: "Console", verdict: Verdict, scores: Sequence[float], model_version: str) -> None:
    """Print the verdict, its reasons with bars, and the histogram of the repository's scores."""
    from rich.text import Text

    console.print(Text(visible(verdict.name), style="bold"), Text(visible(verdict.title or "(no title)", 200)))
    console.print(Text(facts_of(verdict), style="dim"))
    console.print(Text(*place_in_repository(verdict)))
    if verdict.warm_up:
        console.print("the history of this repository knew too little when it was opened: take this lightly")
    console.print("\nunusual here, because" if verdict.reasons else "\nnothing about it stands out")
    _print_reasons(console, verdict)
    width = max(NARROWEST, min(HISTOGRAM_WIDTH, console.width - 4))
    console.print(f"\nscores of {len(scores):,} pull requests of {visible(verdict.repository)}")
    for line in histogram(scores, verdict.score, verdict.threshold, width):
        console.print(f"  {line}", markup=False, highlight=False, no_wrap=True)
    console.print(Text(f"\nmodel version {model_version}", style="dim"))


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


def _print_reasons(console: "Console", verdict: Verdict) -> None:
    from rich.table import Table
    from rich.text import Text

    largest = max((reason.contribution for reason in verdict.reasons), default=0.0)
    table = Table.grid(padding=(0, 1))
    table.add_column(width=BAR_WIDTH)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(ratio=1)
    for reason in verdict.reasons:
        bar = Text(contribution_bar(reason.contribution, largest), style="cyan")
        sentence = Text(visible(reason.sentence))
        if not math.isnan(reason.percentile):
            sentence.append(f"  (above {shown_percentile(reason.percentile)} % here)", style="dim")
        table.add_row(bar, f"{reason.contribution:.2f}", sentence)
    console.print(table)


def _logarithm(value: float) -> float:
    return math.log(max(value, SMALLEST_SCORE))
