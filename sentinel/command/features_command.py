"""`sentinel features`: one pull request's numbers, in words, and where each stands in its repository."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sentinel.command.options import DATA_OPTION, ORDER_OPTION

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from rich.console import Console
    from rich.text import Text

    from sentinel.command.stored_features import StoredVector
    from sentinel.sources.in_order import Order

HEIGHTS = "·▁▂▃▄▅▆▇█"
N_BARS = 12
FAR_PERCENTILE = 95.0  # from here on a place is drawn in colour
INDENT = 2 + N_BARS + 2 + 5 + 2


@click.command(short_help="Show the features of one pull request.")
@click.argument("pull_request", metavar="OWNER/NAME#N")
@click.option("--source", metavar="URI", help="Fold this source up to it, without a run; a commit names it, too.")
@ORDER_OPTION
@click.option("--all", "with_usual", is_flag=True, help="Those that are as usual, too.")
@DATA_OPTION
@click.pass_obj
def features(given: Mapping[str, str], pull_request: str, source: str | None, order: "Order", with_usual: bool,
             folder: Path) -> None:
    """Show the features of one pull request and where each stands in its repository.

    \b
    sentinel features apache/kafka#123
    sentinel features apache/kafka#123 --all
    sentinel features 1a2b3c4 --source git:../kafka
    sentinel features 1a2b3c4 --source jsonl:history.jsonl.gz --order source

    Each line: how the feature spreads here, with this one's place marked, the share of pull
    requests here that lie below it in %, and the value in words.
    """
    from rich.console import Console

    vector = _stored_vector(given, pull_request, folder) if source is None else _folded_vector(
        source, pull_request, order)
    print_vector(Console(), vector, with_usual)


def _folded_vector(source: str, name: str, order: "Order") -> "StoredVector":
    from sentinel.command.folded_features import fold_vector

    return fold_vector(source, name, order)


def _stored_vector(given: Mapping[str, str], pull_request: str, folder: Path) -> "StoredVector":
    from sentinel.command.data_folder import DataFolder
    from sentinel.command.pull_request_name import parse_pull_request_name
    from sentinel.command.stages import OBJECT_STORE, stage_environment
    from sentinel.command.stored_features import read_vector
    from sentinel.object_store import open_object_store
    from sentinel.settings import ObjectStoreSettings, load_settings

    repository, number = parse_pull_request_name(pull_request)
    environment = stage_environment(DataFolder(folder), given)
    store = open_object_store(load_settings(ObjectStoreSettings, object_store_uri=environment[OBJECT_STORE]))
    return read_vector(store, repository, number)


def print_vector(console: "Console", vector: "StoredVector", with_usual: bool) -> None:
    """Print the features by group, those in catalogue order; usual ones only when asked for."""
    from rich.text import Text

    from sentinel.command.printing import print_hanging
    from sentinel.command.safe_text import visible
    from sentinel.features import CATALOGUE

    print_hanging(console, Text.assemble((visible(vector.name), "bold"), "  ",
                                         visible(vector.title or "(no title)", 100)))
    if vector.warm_up:
        print_hanging(console, Text("opened when the history here was still too short to know what is usual"))
    n_hidden, group = 0, None
    for feature in CATALOGUE:
        value, column = vector.values.get(feature.name, math.nan), vector.columns.get(feature.name)
        if column is None:
            continue
        place = percentile_here(column, value)
        if not with_usual and not is_far(place):
            n_hidden += 1
            continue
        if feature.group != group:
            group = feature.group
            console.print(Text(f"\n{group}", style="dim"))
        print_hanging(console, _line(feature.name, value, column, place), INDENT)
    hidden = f"; {n_hidden} more are as usual here, --all shows them" if n_hidden else ""
    console.print(Text(f"\n{vector.compared_with}{hidden}", style="dim"), soft_wrap=True)


def percentile_here(column: "NDArray[np.float64]", value: float) -> float:
    """Return the share of known values below, in %, ties half; NaN where absent."""
    known = column[column == column]
    if value != value or not len(known):
        return math.nan
    return float(100 * ((known < value).mean() + (known == value).mean() / 2))


def is_far(place: float) -> bool:
    """Tell whether a place lies in the outer part, on either side; absent is not far."""
    return place >= FAR_PERCENTILE or place <= 100 - FAR_PERCENTILE


def spread(column: "NDArray[np.float64]", value: float) -> tuple[str, int | None]:
    """Draw how a column spreads, as N_BARS small bars, and return the place of `value` among them."""
    known = column[column == column]
    lowest, highest = (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)
    width = (highest - lowest) / N_BARS or 1.0
    counts = [0] * N_BARS
    for one in known:
        counts[_bar(one, lowest, width)] += 1
    return _drawn(counts), None if value != value else _bar(value, lowest, width)


def _drawn(counts: Sequence[int]) -> str:
    """Draw on a scale of square roots, on which rare values are seen."""
    most = math.sqrt(max(counts) or 1)
    return "".join(HEIGHTS[math.ceil(math.sqrt(count) / most * (len(HEIGHTS) - 1))] for count in counts)


def _bar(value: float, lowest: float, width: float) -> int:
    return max(0, min(N_BARS - 1, int((value - lowest) / width)))


def _line(name: str, value: float, column: "NDArray[np.float64]", place: float) -> "Text":
    from rich.text import Text

    from sentinel.command.safe_text import visible
    from sentinel.features import sentence

    bars, here = spread(column, value)
    line = Text(f"  {bars}  ", style="dim")
    if here is not None:
        line.stylize("bold cyan not dim", 2 + here, 3 + here)
    shown = "    –" if place != place else f"{min(place, 99.9):5.1f}"
    line.append(f"{shown}  ", style="yellow not dim" if is_far(place) else "dim")
    return line.append(visible(sentence(name, value)), style="not dim")
