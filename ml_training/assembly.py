"""From a fitted detector and its data to the model file: card, references, thresholds, graph."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_training.dataset import Dataset
from ml_training.detector import AutoencoderDetector
from ml_training.graph import build_graph
from ml_training.settings import Hyperparameters
from ml_training.splits import rows_of
from ml_training.thresholds import Thresholds, compute_thresholds
from sentinel.model import POOLED, ModelCard

Floats = NDArray[np.float64]

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
    contributions = detector.contributions(dataset.X)
    scores = contributions.sum(axis=1)
    fitted = rows_of(splits, "train", dataset.warm_up)
    references = reference_scores(scores, dataset, splits)
    thresholds = compute_thresholds(settings, scores[fitted], references)
    origin = Origin(version, dataset.provenance.feature_names, dataset.provenance.feature_fingerprint,
                    dataset.provenance.run_id, training_run_id,
                    dataset.facts["opened_at"][int(fitted.max())].as_py().isoformat())
    card = make_card(detector, dataset.X[fitted], contributions[fitted], thresholds, references, origin)
    return AssembledModel(build_graph(detector.parts_, thresholds.pooled, card.to_metadata()), card, thresholds, scores)


def make_card(detector: AutoencoderDetector, X: Floats, contributions: Floats, thresholds: Thresholds,
              references: Mapping[str, Floats], origin: Origin) -> ModelCard:
    """Say what belongs to a detector fitted on X (n_rows, n_features) with these contributions."""
    names = origin.feature_names
    probes = X[np.linspace(0, len(X) - 1, N_PROBES).astype(int)]
    return ModelCard(
        version=origin.version, feature_names=names, feature_fingerprint=origin.feature_fingerprint,
        features_run_id=origin.features_run_id, training_run_id=origin.training_run_id,
        threshold_rule=thresholds.rule, threshold=thresholds.pooled, thresholds=dict(thresholds.by_repository),
        reference_scores={name: _quantiles(values) for name, values in references.items()},
        n_references={name: len(values) for name, values in references.items()},
        usual_values={name: _usual_values(X[:, column]) for column, name in enumerate(names)},
        usual_contributions=dict(zip(names, contributions.mean(axis=0).tolist())),
        probe_rows=[[None if np.isnan(value) else value for value in row] for row in probes.tolist()],
        probe_scores=detector.decision_function(probes).tolist(),
        trained_until=origin.trained_until,
    )


def reference_scores(scores: Floats, dataset: Dataset, splits: NDArray[np.str_]) -> Mapping[str, Floats]:
    """Return the scores that new ones are compared with, in order of time, by repository and under "*" for all.

    They are of rows that were not fitted; a repository with fewer than LEAST_REFERENCE_ROWS such rows adds its
    fitted ones, whose scores are a little lower. Warm-up rows are left out where others exist.
    """
    known = ~dataset.warm_up
    later = splits != "train"
    references = {POOLED: scores[_first_enough(later & known, later, np.ones(len(scores), bool))]}
    repositories = dataset.repositories
    for name in np.unique(repositories):
        own = repositories == name
        references[str(name)] = scores[_first_enough(own & later & known, own & known, own)]
    return references


def _first_enough(*choices: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return next((rows for rows in choices if rows.sum() >= LEAST_REFERENCE_ROWS), choices[-1])


def _quantiles(values: Floats) -> list[float]:
    ordered = np.sort(values)
    if len(ordered) <= MOST_REFERENCE_SCORES:
        return ordered.tolist()
    return np.quantile(ordered, np.linspace(0, 1, MOST_REFERENCE_SCORES)).tolist()


def _usual_values(column: Floats) -> list[float]:
    present = column[~np.isnan(column)]
    return np.quantile(present, VALUE_QUANTILES, method="nearest").tolist() if len(present) else []
