"""From a fitted detector and its data to the model file: card, references, thresholds, graph."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_training.dataset import Dataset
from ml_training.detector import AutoencoderDetector
from ml_training.graph import build_graph
from ml_training.rows import ROWS_AT_ONCE, Floats, Rows
from ml_training.settings import Hyperparameters
from ml_training.splits import rows_by_repository, rows_of
from ml_training.thresholds import Thresholds, compute_thresholds
from sentinel.model import POOLED, ModelCard
from sentinel.score_fingerprint import score_fingerprint

LEAST_REFERENCE_ROWS = 50  # later rows of a repository below which its fitted rows are compared with, too
MOST_REFERENCE_SCORES = 1_001  # a step of 0.1 % in the percentile
VALUE_QUANTILES = np.linspace(0, 1, 101)
N_PROBES = 5


@dataclass(frozen=True, slots=True)
class AssembledModel:
    """The model file and what it was made with."""

    content: bytes
    card: ModelCard
    thresholds: Thresholds
    scores: Floats  # of all rows of the dataset


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a model comes from."""

    version: str
    feature_names: tuple[str, ...]
    feature_fingerprint: str
    features_run_id: str
    training_run_id: str
    trained_until: str | None


def assemble_model(detector: AutoencoderDetector, dataset: Dataset, splits: NDArray[np.str_],
                   settings: Hyperparameters, version: str, training_run_id: str) -> AssembledModel:
    """Put the fitted detector into one file; `splits` names the split of each row."""
    fitted = rows_of(splits, "train", dataset.warm_up)
    scores, usual_contributions = score_all(detector, Rows(dataset.X, np.arange(len(dataset))), fitted)
    references = reference_scores(scores, dataset, splits)
    thresholds = compute_thresholds(settings, scores[fitted], references)
    origin = Origin(version, dataset.provenance.feature_names, dataset.provenance.feature_fingerprint,
                    dataset.provenance.run_id, training_run_id,
                    dataset.facts["opened_at"][int(fitted.max())].as_py().isoformat())
    card = make_card(detector, Rows(dataset.X, fitted), usual_contributions, thresholds, references, origin)
    return AssembledModel(build_graph(detector.parts_, thresholds.pooled, card.to_metadata()), card, thresholds, scores)


def score_all(detector: AutoencoderDetector, rows: Rows, fitted: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Return the scores of all rows, and each feature's mean share of the score over the `fitted` ones."""
    scores, totals = [], np.zeros(rows.n_features)
    is_fitted = np.zeros(len(rows), dtype=bool)
    is_fitted[fitted] = True
    for start, piece in zip(range(0, len(rows), ROWS_AT_ONCE), rows.pieces()):
        contributions = detector.contributions(piece)
        scores.append(contributions.sum(axis=1))
        totals += contributions[is_fitted[start:start + len(piece)]].sum(axis=0)
    return np.concatenate(scores), totals / len(fitted)


def make_card(detector: AutoencoderDetector, rows: Rows, usual_contributions: Floats, thresholds: Thresholds,
              references: Mapping[str, Floats], origin: Origin) -> ModelCard:
    """Say what belongs to a detector fitted on `rows`, where features add `usual_contributions` (n_features,)."""
    names = origin.feature_names
    probes = rows.take(np.linspace(0, len(rows) - 1, N_PROBES).astype(int))
    return ModelCard(
        version=origin.version, feature_names=names, feature_fingerprint=origin.feature_fingerprint,
        features_run_id=origin.features_run_id, training_run_id=origin.training_run_id,
        threshold_rule=thresholds.rule, threshold=thresholds.pooled, thresholds=dict(thresholds.by_repository),
        reference_scores={name: _quantiles(values) for name, values in references.items()},
        n_references={name: len(values) for name, values in references.items()},
        usual_values={name: _usual_values(present) for name, present in zip(names, rows.columns())},
        usual_contributions=dict(zip(names, usual_contributions.tolist())),
        probe_rows=[[None if np.isnan(value) else value for value in row] for row in probes.tolist()],
        probe_scores=detector.decision_function(probes).tolist(),
        trained_until=origin.trained_until, score_fingerprint=score_fingerprint(),
    )


def reference_scores(scores: Floats, dataset: Dataset, splits: NDArray[np.str_]) -> Mapping[str, Floats]:
    """Return the scores that new ones are compared with, in order of time, by repository and under "*" for all.

    They are of rows that were not fitted; a repository with fewer than LEAST_REFERENCE_ROWS such rows adds its
    fitted ones, whose scores are a little lower. Warm-up rows are left out where others exist.
    """
    known = ~dataset.warm_up
    later = splits != "train"
    everywhere = (np.flatnonzero(later & known), np.flatnonzero(later), np.arange(len(scores)))
    references = {POOLED: scores[_first_enough(*everywhere)]}
    for name, own in rows_by_repository(dataset.repositories).items():
        references[name] = scores[_first_enough(own[(later & known)[own]], own[known[own]], own)]
    return references


def _first_enough(*choices: NDArray[np.int64]) -> NDArray[np.int64]:
    return next((rows for rows in choices if len(rows) >= LEAST_REFERENCE_ROWS), choices[-1])


def _quantiles(values: Floats) -> list[float]:
    ordered = np.sort(values)
    if len(ordered) <= MOST_REFERENCE_SCORES:
        return ordered.tolist()
    return np.quantile(ordered, np.linspace(0, 1, MOST_REFERENCE_SCORES)).tolist()


def _usual_values(present: Floats) -> list[float]:
    return np.quantile(present, VALUE_QUANTILES, method="nearest").tolist() if len(present) else []
