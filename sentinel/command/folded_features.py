"""The features of one pull request of a source, folded up to it in this process: no run is needed."""

import re
from collections.abc import Iterator

import numpy as np

from sentinel.command.stored_features import StoredVector
from sentinel.errors import NotFoundError
from sentinel.features import FEATURE_NAMES
from sentinel.history.replay import ReplayedRow, replay_features
from sentinel.pull_request import PullRequestRecord
from sentinel.sources.in_order import Order, in_order, read_records

COMPARED = 1_000  # earlier ones of the same repository
SHA = re.compile(r"[0-9a-f]{7,40}")


def fold_vector(source: str, name: str, order: Order) -> StoredVector:
    """Return the features of the first record that `name` names, OWNER/NAME#N or a commit, among earlier ones.

    Raises NotFoundError where there is none.
    """
    indexed = in_order(read_records(source), order)
    place = next((place for place, (_, record) in enumerate(indexed) if is_named(record, name.lower())), None)
    if place is None:
        raise NotFoundError(f"{source}: none of its {len(indexed):,} records is {name}; expected OWNER/NAME#N, or at "
                            "least seven digits of the commit that was proposed or merged")
    repository = indexed[place][1].pull_request.repository
    rows = list(replay_features(_of_repository(indexed[:place + 1], repository)))[-COMPARED - 1:]
    X, last = np.stack([row.values for row in rows]), rows[-1]
    return StoredVector(
        repository, _shown_name(last), last.pull_request.title, last.warm_up,
        f"it and the {len(rows) - 1:,} before it in {source}",
        dict(zip(FEATURE_NAMES, last.values.tolist())), dict(zip(FEATURE_NAMES, X.T)))


def is_named(record: PullRequestRecord, name: str) -> bool:
    """Tell whether `name`, in small letters, is the key or a commit of a record."""
    commits = record.pull_request.head_sha, record.outcome.merge_commit_sha
    return record.pull_request.key.lower() == name or SHA.fullmatch(name) is not None and any(
        sha is not None and sha.lower().startswith(name) for sha in commits)


def _of_repository(indexed: list[tuple[int, PullRequestRecord]], repository: str,
                   ) -> Iterator[tuple[int, PullRequestRecord]]:
    return (entry for entry in indexed if entry[1].pull_request.repository == repository)


def _shown_name(row: ReplayedRow) -> str:
    """Return the key, and the commit: what landed without a pull request has no number of its own."""
    return row.pull_request.key if row.sha is None else f"{row.pull_request.key} ({row.sha[:10]})"
