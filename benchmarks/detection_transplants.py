"""Plant made-up changes into public histories, and see which score finds them.

    python benchmarks/detection_transplants.py FILE.jsonl.gz ... [--kept 2500] [--planted 50]

Three kinds, each as if opened in place of a change of the last 1,000: a change of one regular under another regular's
name, a newcomer's workflow, a binary fixture with a script by a known author. The model is fitted on what lies before;
found means: above the budget's quantile of the real scores of those 1,000.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml_training.detector import AutoencoderDetector
from ml_training.rarities import catalogue_rarities
from ml_training.rolling_model import IN_NATS
from ml_training.settings import default_hyperparameters
from sentinel.features import FEATURE_NAMES
from sentinel.history.replay import replay_histories
from sentinel.pull_request import ChangedFile, PullRequest, PullRequestRecord
from sentinel.sources.in_order import read_records

Floats = NDArray[np.float64]

N_JUDGED, LEAST_OF_REGULAR = 1_000, 20
BUDGETS = (0.005, 0.01, 0.02, 0.05)
KINDS = ("another's name", "newcomer's workflow", "binary fixture")
# What another person at the same account would do otherwise.
HABITS = ("place_for_author_surprise", "mix_for_author_surprise", "silence_surprise", "hour_surprise",
          "title_shape_surprise", "branch_surprise")
HABIT_COLUMNS = [FEATURE_NAMES.index(name) for name in HABITS]
# What alone makes a score higher: of many files some are rare by chance, and a newcomer is odd in many ways.
CIRCUMSTANCES = {"size": ("log_files",), "experience": ("is_first", "log_experience"),
                 "size and experience": ("log_files", "is_first", "log_experience")}
WARM_UP = 50


@dataclass(frozen=True, slots=True)
class Planted:
    """A made-up change in place of the real one at `place`; X holds its features."""

    kind: str
    place: int
    author: str | None
    values: Floats


def main() -> None:
    """Print the share of each kind that each score finds, averaged over the histories."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--kept", type=int, default=2_500)
    parser.add_argument("--planted", type=int, default=50, help="of each kind in each history")
    arguments = parser.parse_args()
    found: dict[tuple[str, str], list[Floats]] = {}
    for file in arguments.files:
        for key, shares in judge(file, arguments.kept, arguments.planted).items():
            found.setdefault(key, []).append(shares)
        print(file.name, file=sys.stderr, flush=True)
    print("| score | " + " | ".join(KINDS) + f" |, found % at {BUDGETS} of {len(arguments.files)} histories")
    for score in dict.fromkeys(score for score, _ in found):
        print(f"| {score} | " + " | ".join(
            " / ".join(f"{100 * share:.1f}" for share in np.mean(found[score, kind], axis=0)) for kind in KINDS), "|")


def judge(file: Path, n_kept: int, n_planted: int) -> dict[tuple[str, str], Floats]:
    """Return, by score and kind, the share found at each budget in one history."""
    records = sorted(read_records(f"jsonl:{file}"), key=lambda record: record.pull_request.opened_at)[-n_kept:]
    first = len(records) - N_JUDGED
    plants = plan([record.pull_request for record in records], first, n_planted)
    X, planted = fold(records, plants)
    detector = AutoencoderDetector(settings=default_hyperparameters()).fit(
        X[:first], in_nats=IN_NATS, rarities=catalogue_rarities())
    authors = [record.pull_request.author for record in records]
    shares = {}
    for name, (real, odd) in scores_of(detector, X, planted, authors, first).items():
        limits = np.quantile(real[first:], 1 - np.array(BUDGETS), method="higher")
        for kind in KINDS:
            of_kind = odd[[one.kind == kind for one in planted]]
            shares[name, kind] = (of_kind[:, None] > limits).mean(axis=0)
    return shares


def plan(pull_requests: Sequence[PullRequest], first: int, n_planted: int) -> dict[int, list[tuple[str, PullRequest]]]:
    """Return what stands at which place for the real change."""
    generator = np.random.default_rng(0)
    counts = Counter(one.author for one in pull_requests[:first] if one.author and one.author_kind == "User")
    regulars = sorted(author for author, count in counts.items() if count >= LEAST_OF_REGULAR)
    plans: dict[int, list[tuple[str, PullRequest]]] = {}
    by_regulars = [place for place in range(first, len(pull_requests)) if pull_requests[place].author in regulars]
    for place in generator.choice(by_regulars, n_planted):
        one = pull_requests[place]
        others = [name for name in regulars if name != one.author]
        if others:
            plans.setdefault(place, []).append((KINDS[0], replace(one, author=str(generator.choice(others)))))
    for place in generator.integers(first, len(pull_requests), n_planted):
        workflow = ChangedFile(f".github/workflows/release-{place}.yml", "added", 30, 0)
        plans.setdefault(place, []).append((KINDS[1], with_files(
            replace(pull_requests[place], author="transplanted-newcomer", author_kind="User"), (workflow,))))
    for place in generator.choice(by_regulars, n_planted):
        fixture = (ChangedFile(f"tests/fixtures/data-{place}.bin", "added", 0, 0, is_binary=True),
                   ChangedFile("scripts/prepare.sh", "modified", 2, 1))
        plans.setdefault(place, []).append((KINDS[2], with_files(pull_requests[place], fixture)))
    return plans


def with_files(pull_request: PullRequest, files: tuple[ChangedFile, ...]) -> PullRequest:
    """Return the pull request with other files, and the counts that follow."""
    return replace(pull_request, files=files, changed_files=len(files), additions=sum(one.additions for one in files),
                   deletions=sum(one.deletions for one in files))


def fold(records: Sequence[PullRequestRecord], plans: dict[int, list[tuple[str, PullRequest]]],
         ) -> tuple[Floats, list[Planted]]:
    """Return the features of the real changes, and of the planted ones, which nothing remembers."""
    rows, planted = [], list[Planted]()
    for row, history in replay_histories(enumerate(records)):
        rows.append(row.values)
        for kind, made_up in plans.get(row.index, ()):
            planted.append(Planted(kind, row.index, made_up.author, np.array(history.features(made_up))))
    return np.stack(rows), planted


def scores_of(detector: AutoencoderDetector, X: Floats, planted: Sequence[Planted], authors: Sequence[str | None],
              first: int) -> dict[str, tuple[Floats, Floats]]:
    """Return each score of the real and of the planted changes; the real ones before `first` were fitted."""
    odd_X = np.stack([one.values for one in planted])
    rarities = [detector.parts_.rarities.shares(table).sum(axis=1) for table in (X, odd_X)]
    joint = [detector.decision_function(table) for table in (X, odd_X)]
    distances = [score ** 2 / (1 + rarity) for score, rarity in zip(joint, rarities)]
    habits = [np.maximum(0, np.nansum(table[:, HABIT_COLUMNS] - 1, axis=1)) for table in (X, odd_X)]
    tails = [np.maximum(0, joint_nats(table[:, HABIT_COLUMNS]) - 1) for table in (X, odd_X)]
    own = [own_tails(joint[0], authors, joint[0], list(enumerate(authors))),
           own_tails(joint[0], authors, joint[1], [(one.place, one.author) for one in planted])]
    parts = zip(distances, rarities, joint, habits, tails, own)
    columns = [{"distance · (1 + rarities)": score, "distance alone": distance, "rarities alone": rarity,
                "habits alone": habit, "with habits": np.sqrt(distance * (1 + rarity + habit)),
                "with habits' joint tail": np.sqrt(distance * (1 + rarity + joint_tail)),
                "with the author's own tail": np.sqrt(distance * (1 + rarity + tail))}
               for distance, rarity, score, habit, joint_tail, tail in parts]
    scores = {name: (columns[0][name], columns[1][name]) for name in columns[0]}
    for name, features in CIRCUMSTANCES.items():
        usual = [usual_logarithms(features, X[WARM_UP:first], joint[0][WARM_UP:first], table) for table in (X, odd_X)]
        for words, share in (("half", 0.5), ("all", 1.0)):
            scores[f"less {words} of {name}"] = (joint[0] * np.exp(-share * usual[0]),
                                                 joint[1] * np.exp(-share * usual[1]))
    return scores


def usual_logarithms(features: Sequence[str], X_fitted: Floats, scores: Floats, X: Floats) -> Floats:
    """Return what log score the named features alone let expect, by least squares on the fitted rows."""
    columns = [FEATURE_NAMES.index(name) for name in features]
    fitted, rows = (np.column_stack([np.ones(len(table)), np.nan_to_num(table[:, columns])])
                    for table in (X_fitted, X))
    weights = np.linalg.lstsq(fitted, np.log(np.maximum(scores, 1e-6)), rcond=None)[0]
    return rows @ weights


def joint_nats(surprises: Floats) -> Floats:
    """Return minus the logarithm of the chance that independent surprises (n_rows, k), NaN where absent, add up so far.

    Fisher 1932: k surprises add up to a gamma variable of shape k, whose upper tail at x is exp(-x) Σ x^j / j!, j < k.
    """
    totals, n_present = np.nansum(surprises, axis=1), (~np.isnan(surprises)).sum(axis=1)
    term, series = np.ones(len(totals)), np.zeros(len(totals))
    for j in range(surprises.shape[1]):
        series += np.where(j < n_present, term, 0)
        term = term * totals / (j + 1)
    return totals - np.log(np.maximum(series, 1))


def own_tails(scores: Floats, authors: Sequence[str | None], judged: Floats,
              places: Sequence[tuple[int, str | None]]) -> Floats:
    """Return by how many nats above 1 a score is rare among the earlier ones of its author; 0 for little known ones."""
    scores_by_author: dict[str | None, list[tuple[int, float]]] = {}
    for place, (author, score) in enumerate(zip(authors, scores)):
        scores_by_author.setdefault(author, []).append((place, score))
    tails = np.zeros(len(judged))
    for row, ((place, author), score) in enumerate(zip(places, judged)):
        earlier = [one for at, one in scores_by_author.get(author, ()) if at < place]
        if len(earlier) >= LEAST_OF_REGULAR:
            reached = sum(one >= score for one in earlier)
            tails[row] = max(0.0, -np.log((reached + 1) / (len(earlier) + 1)) - 1)
    return tails


if __name__ == "__main__":
    main()
