"""Forward in time, each repository at its own points."""

import numpy as np

from ml_training.splits import rows_by_repository, rows_of, split_in_time

REPOSITORIES = np.array(["a/a"] * 100 + ["b/b"] * 20)


def test_every_repository_is_cut_forward_in_time():
    splits = split_in_time(REPOSITORIES, 0.15, 0.15)

    assert ["train"] * 70 + ["validation"] * 15 + ["test"] * 15 == splits[:100].tolist()
    assert ["train"] * 14 + ["validation"] * 3 + ["test"] * 3 == splits[100:].tolist()


def test_warm_up_rows_are_left_out_where_others_are_enough():
    splits, warm_up = np.full(100, "train"), np.arange(100) < 30

    assert list(range(30, 100)) == rows_of(splits, "train", warm_up).tolist()
    assert list(range(25)) == rows_of(splits[:25], "train", warm_up[:25]).tolist()


def test_rows_are_grouped_in_their_order():
    groups = rows_by_repository(np.array(["b", "a", "b", "c", "a"]))

    assert {"a": [1, 4], "b": [0, 2], "c": [3]} == {name: rows.tolist() for name, rows in groups.items()}
