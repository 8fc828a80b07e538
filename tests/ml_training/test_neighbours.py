"""The distance to the nearest row of many small draws."""

import numpy as np

from ml_training.neighbours import N_DRAWS, ROWS_OF_A_DRAW, fit_neighbours
from ml_training.rows import ScaledRows, rows_of_table
from ml_training.scaling import fit_scaling

GENERATOR = np.random.default_rng(0)


def fit(X):
    rows = rows_of_table(X)
    scaled = ScaledRows(rows, fit_scaling(rows.columns(), np.zeros(X.shape[1], bool)))
    return fit_neighbours(scaled, seed=0), scaled.take(np.arange(len(X)))


def test_odd_rows_that_lie_together_do_not_hide_each_other():
    X = np.vstack([GENERATOR.normal(size=(2_000, 5)), 6 + 0.05 * GENERATOR.normal(size=(8, 5))])
    neighbours, Z = fit(X)

    gaps = neighbours.gaps(Z).sum(axis=1)

    assert (N_DRAWS, ROWS_OF_A_DRAW) == (len(neighbours.draws), len(neighbours.draws[0]))
    assert gaps[-8:].min() > np.quantile(gaps[:-8], 0.99)


def test_few_rows_are_all_kept_and_none_is_its_own_neighbour():
    neighbours, Z = fit(np.array([[0.0], [1.0], [3.0]]))

    gaps = neighbours.gaps(Z).sum(axis=1)

    assert [(3, 1)] == [draw.shape for draw in neighbours.draws]
    assert np.allclose([Z[1, 0] - Z[0, 0], Z[1, 0] - Z[0, 0], Z[2, 0] - Z[1, 0]], gaps)


def test_duplicates_and_a_single_row_have_no_gap():
    for X in (np.ones((4, 2)), np.ones((1, 2)), np.repeat(GENERATOR.normal(size=(3, 2)), 2, axis=0)):
        neighbours, Z = fit(X)

        assert not neighbours.gaps(Z).any()


def test_gap_is_split_by_column():
    neighbours, Z = fit(GENERATOR.normal(size=(100, 3)))
    row = Z[:1] + [0.0, 50.0, 0.0]

    gaps = neighbours.gaps(row)[0]

    assert 1 == gaps.argmax()
    assert np.isclose(np.linalg.norm(row - Z, axis=1).min(), gaps.sum(), rtol=1e-5)
