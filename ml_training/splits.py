"""Split forward in time: what is fitted, what decides when to stop, what is judged."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Split = Literal["train", "validation", "test"]
LEAST_WARM_ROWS = 20  # below, the rows of short histories are fitted too


def split_in_time(repositories: NDArray[np.str_], validation_share: float, test_share: float) -> NDArray[np.str_]:
    """Return "train", "validation" or "test" for rows in order of time.

    Each repository is cut at its own points, so that none is judged by a model that never met it.
    """
    splits = np.full(len(repositories), "train", dtype="<U10")
    for rows in rows_by_repository(repositories).values():
        first_test = len(rows) - round(len(rows) * test_share)
        first_validation = first_test - round(len(rows) * validation_share)
        splits[rows[first_validation:first_test]] = "validation"
        splits[rows[first_test:]] = "test"
    return splits


def rows_by_repository(repositories: NDArray[np.str_]) -> dict[str, NDArray[np.int64]]:
    """Return each repository's rows, ascending, in one pass however many repositories there are."""
    names, codes, counts = np.unique(repositories, return_inverse=True, return_counts=True)
    rows = np.split(np.argsort(codes, kind="stable"), np.cumsum(counts)[:-1])
    return dict(zip(names.tolist(), rows))


def rows_of(splits: NDArray[np.str_], split: Split, warm_up: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the rows of one split, without warm-up rows where enough others are left."""
    chosen = np.flatnonzero(splits == split)
    warm = chosen[~warm_up[chosen]]
    return warm if len(warm) >= LEAST_WARM_ROWS else chosen
