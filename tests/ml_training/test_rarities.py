"""The groups' rarities are the baseline's, split over the features."""

import numpy as np

from ml_training.rarities import Rarities, catalogue_rarities, join_with_rarities
from sentinel.features.score import rarity_score
from tests.ml_training.small_features import make_rows


def test_shares_add_up_to_the_baseline():
    X = make_rows(50)

    shares = catalogue_rarities().shares(X)

    assert np.allclose([rarity_score(row) for row in X.tolist()], shares.sum(axis=1))
    assert shares.min() >= 0


def test_group_gives_its_strongest_shared_by_excess():
    rarities = Rarities(np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), np.array([1.0, 3.0]), usual=1.0)

    shares = rarities.shares(np.array([[2.0, 4.0, np.nan], [0.5, 1.0, 3.0]]))

    assert np.allclose([[3 / 4, 9 / 4, 0.0], [0.0, 0.0, 6.0]], shares)


def test_geometric_mean_is_split_without_rest():
    distances, rarities = np.random.default_rng(0).random((2, 20, 4))

    shares = join_with_rarities(distances, rarities)

    assert np.allclose(np.sqrt(distances.sum(axis=1) * (1 + rarities.sum(axis=1))), shares.sum(axis=1))
