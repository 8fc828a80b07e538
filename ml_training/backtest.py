"""Replay a history: at every point only the past is known, and the model is fitted anew on a schedule.

    python -m ml_training.backtest jsonl:prs.jsonl.gz --out scores.jsonl [--order source]
"""

import argparse
import errno
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from ml_training.backtest_summary import WEEK_SECONDS, summarise
from ml_training.incidents import known_incidents, mark_incidents
from ml_training.plots import draw_alert_budgets
from ml_training.rolling_model import RollingModel
from ml_training.settings import Hyperparameters
from sentinel.errors import DataUnusableError, PermissionDeniedError, UnavailableError
from sentinel.history.replay import ReplayedRow, replay_features
from sentinel.logs import Progress
from sentinel.pull_request import PullRequestRecord
from sentinel.settings import load_settings
from sentinel.sources.in_order import Order, in_order, read_records
from sentinel.stage import exit_with, run_stage


def backtest(records: Iterable[PullRequestRecord], order: Order, settings: Hyperparameters,
             model: RollingModel | None = None) -> Iterator[dict[str, Any]]:
    """Yield one line per pull request, in the order of the replay; `index` is its place in the source, from 0."""
    indexed = in_order(records, order)
    model, waiting = model or RollingModel(settings), list[ReplayedRow]()
    progress = Progress("backtest", "pull requests", len(indexed))
    for row in replay_features(indexed):
        waiting.append(row)
        progress.advance()
        if len(waiting) == model.rows_until_fit:
            yield from model.judge(waiting)
            waiting = []
    yield from model.judge(waiting, fit_after=False)


def main() -> None:
    """Read the command line, replay, and exit with the stage's code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", help="git:PATH, jsonl:PATH, github:OWNER/NAME or simulated:")
    parser.add_argument("--out", type=Path, required=True, help="where the JSON lines go; the plot goes beside it")
    parser.add_argument("--order", choices=("opened", "source"), default="opened", help="what the order of time is")
    parser.add_argument("--incidents", type=Path, help="CSV of known incidents: repository, and number or sha")
    exit_with(run_stage("backtest", partial(_job, parser.parse_args())))


def _job(arguments: argparse.Namespace) -> Mapping[str, Any]:
    settings = load_settings(Hyperparameters)
    known = known_incidents(arguments.source, arguments.incidents)
    model, opened = RollingModel(settings), defaultdict[str, list[datetime]](list)
    lines = list[dict[str, Any]]()
    with _writable(arguments.out) as file:
        for line in backtest(_noting_times(read_records(arguments.source), opened), arguments.order, settings, model):
            file.write(orjson.dumps(line) + b"\n")
            lines.append(line)
    if not lines:
        raise DataUnusableError(f"{arguments.source}: no pull request in it; name a source that holds some")
    weeks = {name: (max(times) - min(times)).total_seconds() / WEEK_SECONDS for name, times in opened.items()}
    summary = summarise(lines, mark_incidents(lines, known), weeks, model.stability, settings.alert_budget,
                        settings.seed)
    plot = arguments.out.with_suffix(".png")
    draw_alert_budgets(plot, {"this model": summary.curve})
    flagged = sum(line["flagged"] for line in lines)
    return {"read": len(lines), "flagged": flagged, "alert_budget": settings.alert_budget, "out": str(arguments.out),
            "plot": str(plot), "order": arguments.order, "summary": [*summary.words, f"{arguments.out}, {plot}"]}


def _noting_times(records: Iterable[PullRequestRecord],
                  opened: dict[str, list[datetime]]) -> Iterator[PullRequestRecord]:
    for record in records:
        opened[record.pull_request.repository].append(record.pull_request.opened_at)
        yield record


@contextmanager
def _writable(out: Path) -> Iterator[BinaryIO]:
    try:
        with open(out, "wb") as file:
            yield file
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise UnavailableError(f"{out}: {error.strerror}; make room, then run this again") from error
        raise PermissionDeniedError(f"{out}: may not be written ({error.strerror}); "
                                    "name another file with --out") from error


if __name__ == "__main__":
    main()
