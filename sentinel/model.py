"""The trained model as one ONNX graph: raw features in; score, contributions and decision out.

Nothing is unpickled, and nothing but the graph decides: scaling, networks, score and
threshold are inside, and what belongs to it is in its metadata.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import orjson
from numpy.typing import ArrayLike, NDArray

from sentinel.errors import CorruptFileError, DataUnusableError, FingerprintError, NotFoundError
from sentinel.score_fingerprint import score_fingerprint

INPUT = "features"
OUTPUTS = ("score", "contributions", "is_unusual")
FORMAT, OPSET = "sentinel.pull-request-anomaly/1", 21
METADATA = "sentinel"  # the one metadata property, a JSON object
POOLED = "*"  # the reference of repositories that the model does not know
PROBE_ERROR = 1e-3  # relative; float32 sums differ a little between processors
ROWS_AT_ONCE = 4_096  # bounds the memory of one scoring

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What a model says about itself; stored in the graph as JSON."""

    version: str  # sorts by time
    feature_names: tuple[str, ...]
    feature_fingerprint: str
    features_run_id: str
    training_run_id: str
    threshold_rule: str
    threshold: float  # of the graph's own `is_unusual`
    thresholds: Mapping[str, float]  # by repository, where the rule gives each its own
    reference_scores: Mapping[str, Sequence[float]]  # ascending quantiles of usual scores, by repository and "*"
    n_references: Mapping[str, int]  # rows behind each of them
    usual_values: Mapping[str, Sequence[float]]  # ascending quantiles of each feature over the fitted rows
    usual_contributions: Mapping[str, float]  # mean share of the score over the fitted rows, by feature
    probe_rows: Sequence[Sequence[float | None]]  # None is NaN, which JSON does not know
    probe_scores: Sequence[float]  # what the graph must say of the probe rows
    trained_until: str | None  # opening time of the last row that was fitted
    score_fingerprint: str = ""  # of how surprises are weighed; older models do not tell
    format: str = FORMAT

    def to_metadata(self) -> dict[str, str]:
        """Return the metadata properties of the graph."""
        return {METADATA: orjson.dumps(self, option=orjson.OPT_SORT_KEYS).decode()}


@dataclass(frozen=True, slots=True)
class ScoredRows:
    """scores (n,), at least 0, higher is more unusual; contributions (n, n_features) add up to them."""

    scores: Floats
    contributions: Floats
    is_unusual: NDArray[np.bool_]  # by the graph's own threshold


class AnomalyModel:
    """A loaded and checked model."""

    def __init__(self, session: onnxruntime.InferenceSession, card: ModelCard) -> None:
        """Use a session whose shapes fit the card; `from_bytes` checks that."""
        self.card = card
        self.usual_values = [card.usual_values[name] for name in card.feature_names]  # by column
        self.usual_contributions = [card.usual_contributions[name] for name in card.feature_names]
        self._session = session
        self._references = {name: (np.asarray(scores, dtype=np.float64), np.linspace(0, 100, len(scores)))
                            for name, scores in card.reference_scores.items()}

    @classmethod
    def from_bytes(cls, content: bytes, sha256: str | None = None) -> "AnomalyModel":
        """Load and check a model file; raises CorruptFileError for anything that is not one of ours."""
        if sha256 is not None and (seen := hashlib.sha256(content).hexdigest()) != sha256:
            raise CorruptFileError(f"model: seen sha256 {seen}, expected {sha256}; fetch it again or train anew")
        session = _open_session(content)
        model = cls(session, _read_card(session))
        model._check_probes()
        return model

    @classmethod
    def load(cls, path: Path, sha256: str | None = None) -> "AnomalyModel":
        """Load and check the model file at `path`; raises NotFoundError or CorruptFileError."""
        try:
            return cls.from_bytes(path.read_bytes(), sha256)
        except FileNotFoundError as error:
            raise NotFoundError(f"{path}: no model file; run ml_training first") from error
        except CorruptFileError as error:
            raise CorruptFileError(f"{path}: {error}") from error

    @property
    def version(self) -> str:
        """Return the name under which the verdicts of this model are stored."""
        return self.card.version

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Return the names of the columns, in order."""
        return self.card.feature_names

    @property
    def feature_fingerprint(self) -> str:
        """Return the fingerprint of the feature code that the model was trained with."""
        return self.card.feature_fingerprint

    @property
    def threshold(self) -> float:
        """Return the score above which the graph itself says unusual."""
        return self.card.threshold

    def threshold_of(self, repository: str) -> float:
        """Return the score above which a pull request of `repository` is unusual."""
        return self.card.thresholds.get(repository, self.card.threshold)

    @property
    def fingerprints(self) -> tuple[str, str]:
        """Return the fingerprints of the features and of their weights in the score."""
        return self.feature_fingerprint, self.card.score_fingerprint

    def check_fingerprint(self, expected: str) -> None:
        """Raise FingerprintError unless the model was trained with the features and the weights of this code."""
        if self.feature_fingerprint != expected:
            raise FingerprintError(f"model {self.version}: features of fingerprint {self.feature_fingerprint}, "
                                   f"but this code computes {expected}; run spark_preprocess and ml_training again")
        if self.card.score_fingerprint != (weights := score_fingerprint()):
            raise FingerprintError(f"model {self.version}: surprises weighed by fingerprint "
                                   f"{self.card.score_fingerprint or 'unknown'}, but this code weighs them by "
                                   f"{weights}; run ml_training again")

    def _check_probes(self) -> None:
        rows = np.array(self.card.probe_rows, dtype=np.float64).reshape(-1, len(self.feature_names))
        seen = self.score(rows).scores
        if len(seen) != len(self.card.probe_scores) or not np.allclose(seen, self.card.probe_scores, rtol=PROBE_ERROR):
            raise CorruptFileError(f"model {self.version}: the probe rows score {seen.tolist()}, expected "
                                   f"{list(self.card.probe_scores)}; the file was altered, train anew")

    def score(self, X: ArrayLike) -> ScoredRows:
        """Score rows (n, n_features) of raw features; NaN means absent. Raises DataUnusableError."""
        table = np.ascontiguousarray(X, dtype=np.float64)
        if table.ndim != 2 or table.shape[1] != len(self.feature_names):
            raise DataUnusableError(f"features: seen shape {table.shape}, expected (n, {len(self.feature_names)})")
        if np.count_nonzero(np.isinf(table)):
            raise DataUnusableError(f"features: seen {int(np.isinf(table).sum())} infinite values; "
                                    "absent is NaN, everything else is finite")
        if len(table) <= ROWS_AT_ONCE:
            return ScoredRows(*self._session.run(OUTPUTS, {INPUT: table}))
        pieces = [self._session.run(OUTPUTS, {INPUT: table[start:start + ROWS_AT_ONCE]})
                  for start in range(0, len(table), ROWS_AT_ONCE)]
        return ScoredRows(*(np.concatenate(arrays) for arrays in zip(*pieces)))

    def percentile(self, repository: str, score: float) -> float:
        """Return how many per cent of this repository's reference scores lie below `score`, 0 to 100.

        A repository that the model does not know is compared with all of them together.
        """
        scores, places = self._references.get(repository) or self._references[POOLED]
        return float(np.interp(score, scores, places, left=0.0, right=100.0))


def _open_session(content: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # one worker, one core
    options.log_severity_level = 4  # what is wrong comes back as an error
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own errors have no common root
        raise CorruptFileError(f"model of {len(content)} bytes: no ONNX graph that can be opened "
                               f"({type(error).__name__}); fetch it again or train anew") from error


def _read_card(session: onnxruntime.InferenceSession) -> ModelCard:
    properties = session.get_modelmeta().custom_metadata_map
    try:
        fields: dict[str, Any] = orjson.loads(properties[METADATA])
        fields["feature_names"] = tuple(fields["feature_names"])
        card = ModelCard(**fields)
    except (KeyError, TypeError, orjson.JSONDecodeError) as error:
        raise CorruptFileError(f"model: no metadata of this version ({error}); it is another program's graph "
                               "or an altered one, train anew") from error
    seen = (card.format, _shape(session.get_inputs()), _shape(session.get_outputs()))
    n_features = len(card.feature_names)
    expected = (FORMAT, [(INPUT, "tensor(double)", ["n", n_features])], [
        (OUTPUTS[0], "tensor(double)", ["n"]),
        (OUTPUTS[1], "tensor(double)", ["n", n_features]),
        (OUTPUTS[2], "tensor(bool)", ["n"]),
    ])
    if seen != expected:
        raise CorruptFileError(f"model: seen format, input and outputs {seen}, expected {expected}; train anew")
    if POOLED not in card.reference_scores or not all(map(len, card.reference_scores.values())):
        raise CorruptFileError("model: no reference scores to compare with; train anew")
    if not card.usual_values.keys() & card.usual_contributions.keys() >= set(card.feature_names):
        raise CorruptFileError("model: not every feature has its usual values; train anew")
    return card


def _shape(values: Sequence[Any]) -> list[tuple[str, str, list[Any]]]:
    return [(value.name, value.type, list(value.shape)) for value in values]
