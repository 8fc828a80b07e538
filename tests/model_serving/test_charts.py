"""The geometry of the charts."""

import numpy as np
import pytest

from model_serving.charts import WIDTH, score_chart, share_below, value_chart


@pytest.mark.parametrize("threshold", [0.01, 0.37, 0.6, 5.0, 400.0])
def test_no_bar_lies_on_both_sides_of_the_threshold(threshold: float) -> None:
    scores = np.random.default_rng(1).lognormal(-1.0, 0.5, 2_000)
    chart = score_chart(scores, threshold)
    limit = next(mark.x for mark in chart.marks if mark.text.startswith("threshold"))

    assert all((bar.x + bar.width / 2 > limit) == bar.is_beyond for bar in chart.bars)
    assert not any(bar.x + 0.1 < limit < bar.x + bar.width - 0.1 for bar in chart.bars)


def test_all_bars_and_marks_lie_on_the_canvas() -> None:
    chart = score_chart(np.array([0.1, 0.2, 0.4, 3.0]), 0.5, 3.0)

    assert 4 == len(chart.bars)
    assert all(-0.1 <= bar.x and bar.x + bar.width <= WIDTH + 0.1 for bar in chart.bars)
    assert all(0 <= mark.x <= WIDTH for mark in chart.marks)


def test_no_scores_no_chart_and_one_value_everywhere_is_drawn() -> None:
    assert score_chart(np.array([]), 0.5) is None
    assert 1 == len(value_chart(np.full(65, 2.0, np.float32), 2.0).bars)
    assert 0.5 == share_below(np.full(65, 2.0, np.float32), 2.0)
