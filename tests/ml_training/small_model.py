"""A small model of made-up features."""

import numpy as np

from ml_training.assembly import Origin, make_card
from ml_training.detector import AutoencoderDetector
from ml_training.graph import build_graph
from ml_training.rarities import catalogue_rarities
from ml_training.rows import rows_of_table
from ml_training.settings import default_hyperparameters
from ml_training.thresholds import Thresholds, mean_plus_two_std
from sentinel.features import CATALOGUE, FEATURE_NAMES
from sentinel.model import POOLED
from tests.ml_training.small_features import make_rows

IN_NATS = np.array([feature.is_surprise for feature in CATALOGUE])


def fit_small(n_rows: int = 150) -> AutoencoderDetector:
    """Fit a small detector on made-up rows."""
    settings = default_hyperparameters(max_steps=20, min_steps=20, n_networks=2, hidden_width=8)
    rows, rarities = make_rows(n_rows), catalogue_rarities()
    return AutoencoderDetector(settings=settings).fit(rows, in_nats=IN_NATS, rarities=rarities)


def build_small(detector: AutoencoderDetector, n_rows: int = 150, **thresholds: float) -> bytes:
    """Return the file of a small detector; `thresholds` are of single repositories."""
    X = make_rows(n_rows)
    limit = mean_plus_two_std(detector.decision_scores_)
    card = make_card(
        detector, rows_of_table(X), detector.contributions(X).mean(axis=0),
        Thresholds("mean_plus_two_std", limit, thresholds),
        {POOLED: detector.decision_scores_, "octo/high": detector.decision_scores_ * 3},
        Origin("20260101T000000Z-abc", FEATURE_NAMES, "f00d", "features-run", "training-run", None))
    return build_graph(detector.parts_, limit, card.to_metadata())
