"""The detector takes any finite table, is deterministic, and finds what it should."""

import numpy as np
import pytest

from ml_training.detector import AutoencoderDetector
from ml_training.settings import table_hyperparameters
from sentinel.errors import DataUnusableError

GENERATOR = np.random.default_rng(0)
NORMAL = GENERATOR.normal(size=(200, 4))
TABLES = {
    "five rows": NORMAL[:5],
    "one row": NORMAL[:1],
    "one column": NORMAL[:, :1],
    "a constant column": np.column_stack([NORMAL, np.full(200, 7.0)]),
    "only constants": np.ones((50, 3)),
    "many columns": GENERATOR.normal(size=(30, 300)),
    "heavy tails": np.exp(5 * NORMAL),
    "wild scales": NORMAL * [1e-12, 1e12, 1e-300, 1e300],
    "duplicates": np.repeat(NORMAL[:4], 50, axis=0),
    "one huge outlier": np.vstack([NORMAL, [1e300, 0, 0, 0]]),
    "rare ones": (NORMAL > 2.5).astype(float),
}


@pytest.mark.parametrize("name", TABLES)
def test_any_finite_table_gets_finite_scores(name):
    X = TABLES[name]

    scores = AutoencoderDetector().fit(X).decision_function(X)

    assert np.isfinite(scores).all()
    assert (scores >= 0).all()


def test_equal_seeds_give_equal_scores():
    first, second = (AutoencoderDetector(random_state=3).fit(NORMAL).decision_scores_ for _ in range(2))

    assert np.array_equal(first, second)


def test_other_seed_gives_other_scores():
    first, second = (AutoencoderDetector(random_state=seed).fit(NORMAL).decision_scores_ for seed in (3, 4))

    assert not np.array_equal(first, second)


def test_far_row_scores_highest():
    X = np.vstack([NORMAL, [6.0, -6.0, 6.0, -6.0]])

    assert len(X) - 1 == AutoencoderDetector().fit(X).decision_scores_.argmax()


def test_broken_dependence_is_found():
    x = GENERATOR.normal(size=1000)
    X = np.column_stack([x, x + 0.1 * GENERATOR.normal(size=1000)])
    detector = AutoencoderDetector().fit(X)

    usual, odd = detector.decision_function([[1.0, 1.0], [1.0, -1.0]])

    assert odd > 3 * usual


def test_contributions_add_up_to_the_score():
    detector = AutoencoderDetector().fit(NORMAL)

    assert np.allclose(detector.decision_scores_, detector.contributions(NORMAL).sum(axis=1), rtol=1e-12)


def test_labels_follow_the_contamination():
    detector = AutoencoderDetector(contamination=0.1).fit(NORMAL)

    assert 20 == detector.labels_.sum()
    assert np.array_equal(detector.labels_, detector.predict(NORMAL))


def test_loss_falls():
    detector = AutoencoderDetector().fit(NORMAL[:, :1] * np.array([[1.0, 2.0, -1.0, 0.5]]))

    assert detector.epochs_[-1].training_loss < 0.7 * detector.epochs_[0].training_loss


def test_training_stops_when_later_rows_get_no_better():
    settings = table_hyperparameters(patience=1, n_epochs=1000, max_steps=1000)

    detector = AutoencoderDetector(settings=settings).fit(NORMAL)

    assert detector.epochs_[-1].step < 1000


def test_absent_value_counts_as_usual():
    detector = AutoencoderDetector().fit(NORMAL)

    absent, extreme = detector.decision_function([[np.nan, 0, 0, 0], [5.0, 0, 0, 0]])

    assert absent < extreme


@pytest.mark.parametrize("X", [np.empty((0, 3)), np.ones(5), np.empty((3, 0))])
def test_table_of_another_shape_is_refused(X):
    with pytest.raises(DataUnusableError, match=r"expected \(n_rows, n_features\)"):
        AutoencoderDetector().fit(X)


def test_infinite_values_are_refused():
    with pytest.raises(DataUnusableError, match="1 infinite values"):
        AutoencoderDetector().fit(np.array([[1.0], [np.inf]]))


def test_other_number_of_columns_is_refused():
    with pytest.raises(DataUnusableError, match="seen 3 columns, expected the 4"):
        AutoencoderDetector().fit(NORMAL).decision_function(NORMAL[:, :3])


def test_threads_are_given_back():
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()

    AutoencoderDetector(settings=table_hyperparameters(threads=1)).fit(NORMAL[:20])

    assert before == torch.get_num_threads()
