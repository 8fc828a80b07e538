"""Judge the detector beside plain ones on the same replayed history: who finds known incidents at which budget.

    python benchmarks/detection_baselines.py jsonl:one.jsonl.gz jsonl:two.jsonl.gz --order source --as-opened \\
        --incidents incidents.csv --scores FOLDER
    python benchmarks/detection_baselines.py simulated:

All are judged forward in time on the same rows; what must be fitted is fitted anew at the same points.
Goyal 2018 is the score of github.com/goyalr41/UnusualGitCommit over sizes, hour and file types.
"""

import argparse
import math
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

from ml_training.alert_budgets import BudgetCurve, budget_curve, places_among_earlier
from ml_training.incidents import known_incidents, mark_incidents
from ml_training.plots import draw_alert_budgets
from ml_training.rolling_model import RollingModel
from ml_training.settings import default_hyperparameters
from sentinel.features import FEATURE_NAMES
from sentinel.features.score import rarity_score
from sentinel.history.replay import ReplayedRow, replay_features
from sentinel.pull_request import PullRequest, PullRequestRecord
from sentinel.sources.in_order import read_records

Floats = NDArray[np.float64]
Score = Callable[[Floats], Floats]

DAMPING, LEAST_OF_AUTHOR, ODD_HOUR_SHARE = 15, 20, 0.05  # Goyal 2018, as implemented
SENSITIVE = (".github/workflows/", "setup.py", "package.json", "makefile", "dockerfile", ".gitattributes", "codeowners")
RULE_LINES = 1_000


def main() -> None:
    """Print a table; with --plot, draw the curves; with --scores, write what the judge of incidents reads."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", nargs="+")
    parser.add_argument("--order", choices=("opened", "source"), default="opened")
    parser.add_argument("--incidents", type=Path)
    parser.add_argument("--as-opened", action="store_true", help="hide what became of every change, and its branch")
    parser.add_argument("--scores", type=Path, help="folder of score files, one folder a detector")
    parser.add_argument("--plot", type=Path)
    arguments = parser.parse_args()
    judged = [judge(source, arguments) for source in arguments.sources]
    known = np.concatenate([one.known for one in judged])
    repositories = np.concatenate([one.repositories for one in judged])
    curves = {}
    for name in judged[0].scores:
        places = np.concatenate([_places(one.scores[name], one.repositories) for one in judged])
        curves[name] = budget_curve(places, known, repositories, 0)
    _print(curves)
    if arguments.plot:
        draw_alert_budgets(arguments.plot, curves)


@dataclass(frozen=True, slots=True)
class Judged:
    """What each detector said of the changes of one source, in the order of the replay."""

    scores: dict[str, Floats]
    known: NDArray[np.bool_]
    repositories: NDArray[np.str_]


def judge(source: str, arguments: argparse.Namespace) -> Judged:
    """Replay one source; every detector knows only what came before."""
    indexed = list(enumerate(read_records(source)))
    if arguments.order == "opened":
        indexed.sort(key=lambda entry: (entry[1].pull_request.opened_at, entry[0]))
    shas = [record.pull_request.head_sha or record.outcome.merge_commit_sha for _, record in indexed]
    rows = list(replay_features((index, as_opened(record) if arguments.as_opened else record)
                                for index, record in indexed))
    pull_requests, X = [row.pull_request for row in rows], np.stack([row.values for row in rows])
    lines = [{**line, "sha": sha} for line, sha in zip(_judge_by_model(rows), shas)]
    scores = {
        "this model": np.array([line["score"] for line in lines]),
        "sum of rarities": np.array([rarity_score(row) for row in X.tolist()]),
        "isolation forest": _refitted(X, _isolation_forest), "kNN": _refitted(X, _nearest),
        "Goyal 2018": goyal_scores(pull_requests),
        "churn": np.array([math.log1p(one.additions + one.deletions) for one in pull_requests]),
        "rule list": np.array([float(_broken_rules(row, one)) for row, one in zip(X, pull_requests)]),
    }
    if arguments.scores:
        _write_scores(arguments.scores, source, scores, [row.index for row in rows])
    print(f"{source}: {len(rows):,} changes", file=sys.stderr, flush=True)
    return Judged(scores, mark_incidents(lines, known_incidents(source, arguments.incidents)),
                  np.array([one.repository for one in pull_requests]))


def as_opened(record: PullRequestRecord) -> PullRequestRecord:
    """Return the record without what became of it and without the branch, which only landed changes have here."""
    return PullRequestRecord(replace(record.pull_request, head_ref=None, head_repository=None, is_from_fork=None,
                                     head_sha=None))


def _places(scores: Floats, repositories: NDArray[np.str_]) -> Floats:
    places, given = np.full(len(scores), np.nan), ~np.isnan(scores)
    places[given] = places_among_earlier(scores[given].tolist(), repositories[given].tolist())
    return places


def _judge_by_model(rows: Sequence[ReplayedRow]) -> list[dict[str, Any]]:
    model, lines, start = RollingModel(default_hyperparameters()), list[dict[str, Any]](), 0
    while start < len(rows):
        stop = start + model.rows_until_fit
        lines += model.judge(rows[start:stop], fit_after=stop < len(rows))
        start = stop
    return lines


def _write_scores(folder: Path, source: str, scores: dict[str, Floats], places: Sequence[int]) -> None:
    for name, values in scores.items():
        own = folder / name.replace(" ", "-")
        own.mkdir(parents=True, exist_ok=True)
        stem = Path(source.partition(":")[2]).name.replace("changes-", "scores-").removesuffix(".gz")
        (own / stem).write_text("".join(f'{{"index": {index}, "score": {score!r}}}\n'
                                        for index, score in zip(places, values.tolist()) if score == score))


def _print(curves: dict[str, BudgetCurve]) -> None:
    one = next(iter(curves.values()))
    print(f"{one.n_known} known incidents in {one.n_repositories} repositories; found % [95 % interval over "
          "repositories] / really flagged %\n")
    print("| detector |", " | ".join(f"{budget:.1%}" for budget in one.budgets), "|")
    print("|---|" + "---|" * len(one.budgets))
    for name, curve in curves.items():
        cells = [f"{100 * found:.0f} [{100 * low:.0f}, {100 * high:.0f}] / {100 * flagged[0]:.2f}"
                 for (found, low, high), flagged in zip(curve.recall, curve.flagged)]
        print(f"| {name} |", " | ".join(cells), "|")


def _refitted(X: Floats, fit: Callable[[Floats], Score]) -> Floats:
    """Score rows by a detector of earlier ones, fitted anew when the backtest's model is; NaN before the first."""
    schedule, scores, start = RollingModel(default_hyperparameters()), np.full(len(X), np.nan), 0
    X = np.nan_to_num(X)
    while start < len(X):
        stop = start + schedule.rows_until_fit
        if start:
            scores[start:stop] = fit(X[:start])(X[start:stop])
        schedule.skip(X[start:stop])
        start = stop
    return scores


def _isolation_forest(X: Floats) -> Score:
    forest = IsolationForest(random_state=0).fit(X)
    return lambda rows: -forest.score_samples(rows)


def _nearest(X: Floats) -> Score:
    scaler = StandardScaler().fit(X)
    neighbours = NearestNeighbors(n_neighbors=min(5, len(X))).fit(scaler.transform(X))
    return lambda rows: neighbours.kneighbors(scaler.transform(rows))[0].mean(axis=1)


def _broken_rules(row: Floats, pull_request: PullRequest) -> int:
    """Count rules that teams write by hand: newcomer, sensitive file, large, at night, binary."""
    files = pull_request.files or ()
    is_new = row[FEATURE_NAMES.index("is_first")] == 1
    return sum((bool(is_new), any(mark in file.path.lower() for file in files for mark in SENSITIVE),
                pull_request.additions + pull_request.deletions > RULE_LINES, pull_request.opened_at.hour < 6,
                any(file.is_binary for file in files)))


def goyal_scores(pull_requests: Sequence[PullRequest]) -> Floats:
    """Return Goyal's noisy-or of damped rarities of each change, from earlier changes of its repository."""
    sizes: dict[str, list[list[float]]] = defaultdict(list)
    types: dict[str, Counter[str]] = defaultdict(Counter)
    pairs: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    scores = np.zeros(len(pull_requests))
    for place, one in enumerate(pull_requests):
        kinds = sorted({Path(file.path).suffix.lower() for file in one.files or ()})[:20]
        own = f"{one.repository}\0{one.author}"
        values = [float(one.additions + one.deletions), float(one.additions), float(one.deletions),
                  float(one.changed_files), float(len(one.title.split()))]
        n_seen = len(sizes[one.repository])
        parts = [_pareto(column, value) for column, value in zip(zip(*sizes[one.repository]), values)]
        mine = sizes[own]
        parts += ([_pareto(column, value) for column, value in zip(zip(*[row[:5] for row in mine]), values)]
                  if len(mine) > LEAST_OF_AUTHOR else [0.5] * 5)
        if len(mine) > LEAST_OF_AUTHOR:
            near = np.mean([min((row[5] - one.opened_at.hour) % 24, (one.opened_at.hour - row[5]) % 24) <= 1
                            for row in mine]) / 3
            parts.append(float(near < ODD_HOUR_SHARE))
        if n_seen:
            parts += [1 - types[one.repository][kind] / n_seen for kind in kinds]
            parts += [1 - pairs[one.repository][first, second] / n_seen
                      for first in kinds for second in kinds if first < second]
        scores[place] = 1 - math.prod((1 - min(part, 1 - 1e-12)) ** (1 / DAMPING) for part in parts)
        sizes[one.repository].append(values)
        sizes[own].append([*values, one.opened_at.hour])
        types[one.repository].update(kinds)
        pairs[one.repository].update((first, second) for first in kinds for second in kinds if first < second)
    return scores


def _pareto(column: Sequence[float], value: float) -> float:
    """Return 1 - (scale / value)^shape of a Pareto tail, regressed on the newest 500 earlier values."""
    earlier = np.sort([one for one in column[-500:] if one > 0])
    if value <= 0 or len(earlier) < 10 or earlier[0] == earlier[-1]:
        return 0.0
    logarithms = np.log(earlier)
    tails = np.log(1 - np.arange(len(earlier)) / len(earlier))
    slope, intercept = np.polyfit(logarithms, tails, 1)
    return max(0.0, 1 - math.exp(min(0.0, intercept + slope * math.log(value))))


if __name__ == "__main__":
    main()
