"""Replay a history: at every point only the past is known, and the model is fitted anew on a schedule.

    python -m ml_training.backtest jsonl:prs.jsonl.gz --out scores.jsonl [--order source]
"""

import argparse
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import orjson

from ml_training.replay import ReplayedRow, replay_features
from ml_training.replay_source import read_records
from ml_training.rolling_model import RollingModel
from ml_training.settings import Hyperparameters
from sentinel.errors import PermissionDeniedError
from sentinel.logs import Progress
from sentinel.pull_request import PullRequestRecord
from sentinel.settings import load_settings
from sentinel.stage import exit_with, run_stage

Order = Literal["opened", "source"]


def backtest(records: Iterable[PullRequestRecord], order: Order, settings: Hyperparameters) -> Iterator[dict[str, Any]]:
    """Yield one line per pull request, in the order of the replay; `index` is its place in the source, from 0."""
    indexed = list(enumerate(records))
    if order == "opened":
        indexed.sort(key=lambda entry: (entry[1].pull_request.opened_at, entry[0]))
    model, waiting = RollingModel(settings), list[ReplayedRow]()
    progress = Progress("backtest", "pull requests", len(indexed))
    for row in replay_features(indexed):
        waiting.append(row)
        progress.advance()
        if len(waiting) == model.rows_until_fit:
            yield from model.judge(waiting)
            waiting = []
    yield from model.judge(waiting)


def main() -> None:
    """Read the command line, replay, and exit with the stage's code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", help="git:PATH or jsonl:PATH")
    parser.add_argument("--out", type=Path, required=True, help="where the JSON lines go")
    parser.add_argument("--order", choices=("opened", "source"), default="opened", help="what the order of time is")
    arguments = parser.parse_args()
    exit_with(run_stage("backtest", lambda: _job(arguments.source, arguments.out, arguments.order)))


def _job(source: str, out: Path, order: Order) -> Mapping[str, Any]:
    settings = load_settings(Hyperparameters)
    flagged, judged = 0, 0
    try:
        with open(out, "wb") as file:
            for line in backtest(read_records(source), order, settings):
                file.write(orjson.dumps(line) + b"\n")
                judged += not line["warm_up"]
                flagged += line["flagged"]
    except PermissionError as error:
        raise PermissionDeniedError(f"{out}: may not be written; name another file with --out") from error
    return {"judged": judged, "flagged": flagged, "flagged_share": round(flagged / max(judged, 1), 5),
            "alert_budget": settings.alert_budget, "out": str(out), "order": order}


if __name__ == "__main__":
    main()
