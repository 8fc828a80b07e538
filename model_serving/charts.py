"""The geometry of the small charts: bars and marks on a canvas, for the templates to draw as SVG."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64] | NDArray[np.float32]

WIDTH, HEIGHT = 640.0, 92.0
N_SCORE_BARS, N_VALUE_BARS = 48, 32
GAP = 1.5
LEAST_HEIGHT = 1.5  # so that one pull request can still be seen
ROOM = 0.04  # free space at both ends, as a share of the width


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar; the origin is at the top left."""

    x: float
    y: float
    width: float
    height: float
    is_beyond: bool  # the threshold, or the usual


@dataclass(frozen=True, slots=True)
class Mark:
    """A place on the axis with its words; `anchor` keeps the words on the canvas."""

    x: float
    text: str
    anchor: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars, and marks above and below them."""

    width: float
    height: float
    bars: tuple[Bar, ...]
    marks: tuple[Mark, ...]
    ticks: tuple[Mark, ...]


def score_chart(scores: Floats, threshold: float, score: float | None = None) -> Chart | None:
    """Draw how often each score occurs, on a logarithmic axis, with the threshold; None without scores."""
    positive = np.asarray(scores, dtype=np.float64)
    positive = positive[positive > 0]
    if not positive.size:
        return None
    shown = [float(positive.min()), float(positive.max()), *(one for one in (threshold, score) if one and one > 0)]
    place = _axis(math.log(min(shown)), math.log(max(shown)))
    edges = _edges(place, N_SCORE_BARS)
    if threshold > 0:  # an edge, so that each bar lies on one side of it
        edges = edges + (math.log(threshold) - edges[0]) % (edges[1] - edges[0]) - (edges[1] - edges[0])
        edges = np.append(edges, 2 * edges[-1] - edges[-2])
    counts, edges = np.histogram(np.log(positive), bins=edges)
    marks = [_mark(place(math.log(threshold)), f"threshold {threshold:.3g}")] if threshold > 0 else []
    if score is not None and score > 0:
        marks.append(_mark(place(math.log(score)), f"this one {score:.3g}"))
    ticks = tuple(_mark(place(math.log(tick)), f"{tick:g}") for tick in _round_numbers(min(shown), max(shown)))
    return Chart(WIDTH, HEIGHT, _bars(counts, edges, place, math.log(threshold) if threshold > 0 else math.inf),
                 tuple(marks), ticks)


def value_chart(quantiles: Floats, value: float) -> Chart:
    """Draw how often values lie where, from their ascending quantiles, and mark one value."""
    lowest, highest = min(float(quantiles[0]), value), max(float(quantiles[-1]), value)
    place = _axis(lowest, highest)
    counts, edges = np.histogram(quantiles, bins=_edges(place, N_VALUE_BARS))
    return Chart(WIDTH, HEIGHT / 2, _bars(counts, edges, place, math.inf, HEIGHT / 2),
                 (_mark(place(value), "this one"),), ())


def share_below(quantiles: Floats, value: float) -> float:
    """Return the share of values below `value`, 0 to 1, ties counted half."""
    below, up_to = (int(np.searchsorted(quantiles, value, side=side)) for side in ("left", "right"))
    return (below + up_to) / (2 * len(quantiles))


class _Axis:
    """Where a value lies on the canvas."""

    def __init__(self, lowest: float, highest: float) -> None:
        span = (highest - lowest) or 1.0
        self.lowest, self.highest = lowest - ROOM * span, lowest + (1 + ROOM) * span

    def __call__(self, value: float) -> float:
        return round(WIDTH * (value - self.lowest) / (self.highest - self.lowest), 2)


def _axis(lowest: float, highest: float) -> _Axis:
    return _Axis(lowest, highest)


def _edges(axis: _Axis, n_bars: int) -> NDArray[np.float64]:
    return np.linspace(axis.lowest, axis.highest, n_bars + 1)


def _bars(counts: NDArray[np.int64], edges: NDArray[np.float64], place: Callable[[float], float], beyond: float,
          height: float = HEIGHT) -> tuple[Bar, ...]:
    """Return the bars that are not empty; heights grow with the root of the count, so that few still show."""
    tallest = math.sqrt(counts.max()) or 1.0
    bars = []
    for count, left, right in zip(counts, edges, edges[1:]):
        if count:
            tall = max(LEAST_HEIGHT, (height - 4) * math.sqrt(count) / tallest)
            bars.append(Bar(place(left) + GAP / 2, round(height - tall, 2), round(place(right) - place(left) - GAP, 2),
                            round(tall, 2), (left + right) / 2 > beyond))
    return tuple(bars)


def _mark(x: float, text: str) -> Mark:
    return Mark(x, text, "start" if x < WIDTH * 0.15 else "end" if x > WIDTH * 0.85 else "middle")


def _round_numbers(lowest: float, highest: float) -> list[float]:
    """Return 1, 2 and 5 times powers of ten between two numbers, at most eight."""
    powers = range(math.floor(math.log10(lowest)), math.ceil(math.log10(highest)) + 1)
    numbers = [digit * 10.0 ** power for power in powers for digit in (1, 2, 5)]
    inside = [number for number in numbers if lowest <= number <= highest]
    return inside if len(inside) <= 8 else [number for number in inside if f"{number:e}".startswith("1")]
