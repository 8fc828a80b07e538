"""The job: features → autoencoder → MLflow and registry → verdicts."""

import hashlib
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from ml_training.assembly import assemble_model
from ml_training.dataset import Dataset, check_fingerprint, read_dataset
from ml_training.detector import AutoencoderDetector
from ml_training.gate import compare_on_later_rows
from ml_training.models import PROMOTED_BY, crown
from ml_training.rarities import catalogue_rarities
from ml_training.registry import CHALLENGER, CHAMPION, RegisteredModel, Registry
from ml_training.rows import Rows
from ml_training.run_log import FittedRun, log_run
from ml_training.settings import Hyperparameters
from ml_training.splits import rows_of, split_in_time
from ml_training.verdict_table import judged_features_run, write_verdicts
from sentinel.features import CATALOGUE, feature_fingerprint
from sentinel.logs import Progress, get_logger
from sentinel.model import AnomalyModel
from sentinel.object_store import ObjectStore
from sentinel.provenance import Provenance, find_latest_run
from sentinel.score_fingerprint import score_fingerprint
from sentinel.verdict_files import point_to_champion

STAGE = "ml_training"
IN_NATS = np.array([feature.is_surprise for feature in CATALOGUE])


def train_autoencoder(settings: Hyperparameters, store: ObjectStore, registry: Registry,
                      now: datetime | None = None) -> Mapping[str, Any]:
    """Train on the newest features unless that was done, and return the facts of the closing line."""
    provenance = find_latest_run(store)
    check_fingerprint(provenance, feature_fingerprint())
    trained = find_trained(registry, provenance, settings)
    champion = registry.find(CHAMPION)
    if trained is not None:
        return _finish_earlier_run(store, registry, provenance, settings, trained, champion)
    dataset = read_dataset(store, provenance)
    splits = split_in_time(dataset.repositories, settings.validation_share, settings.test_share)
    return _train(settings, store, registry, dataset, splits, now or datetime.now(UTC))


def find_trained(registry: Registry, provenance: Provenance, settings: Hyperparameters) -> RegisteredModel | None:
    """Return the model that these features and settings already gave.

    One that was rolled back counts: training it again would undo the rollback.
    """
    wanted = {"features_run_id": provenance.run_id, "settings_hash": hash_of(settings),
              "score_fingerprint": score_fingerprint()}
    return next((model for model in registry.versions()
                 if (model.aliases or PROMOTED_BY in model.tags) and wanted.items() <= model.tags.items()), None)


def _finish_earlier_run(store: ObjectStore, registry: Registry, provenance: Provenance, settings: Hyperparameters,
                        trained: RegisteredModel, champion: RegisteredModel | None) -> Mapping[str, Any]:
    """Write the verdicts that an earlier run, a promotion or a rollback left missing or old."""
    facts = {"trained": False, "model_version": trained.model_version, "features_run_id": provenance.run_id}
    if champion is not None:
        point_to_champion(store, champion.model_version)
    stale = [model for model in (trained, champion)
             if model is not None and judged_features_run(store, model.model_version) != provenance.run_id
             and model.tags.get("feature_fingerprint") == provenance.feature_fingerprint
             and model.tags.get("score_fingerprint") == score_fingerprint()]
    if not stale:
        return {**facts, "reason": "these features were trained with these settings already"}
    dataset = read_dataset(store, provenance)
    splits = split_in_time(dataset.repositories, settings.validation_share, settings.test_share)
    for model in stale:
        write_verdicts(store, load_registered(registry, model), dataset, splits)
    return {**facts, "reason": "only verdicts were missing", "n_rows": len(dataset)}


def load_registered(registry: Registry, registered: RegisteredModel) -> AnomalyModel:
    """Download and check a registered model."""
    with tempfile.TemporaryDirectory(prefix="sentinel-model-") as folder:
        content = registry.download_model(registered, Path(folder))
    return AnomalyModel.from_bytes(content, registered.tags.get("sha256"))


def hash_of(settings: Hyperparameters) -> str:
    """Return a hash of all hyperparameters."""
    return hashlib.sha256(orjson.dumps(settings.model_dump(), option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def fit_detector(dataset: Dataset, splits: NDArray[np.str_], settings: Hyperparameters) -> AutoencoderDetector:
    """Fit on the training rows; the validation rows, later in time, decide when to stop."""
    train = rows_of(splits, "train", dataset.warm_up)
    validation = rows_of(splits, "validation", dataset.warm_up)
    progress = Progress(STAGE, "steps", settings.max_steps)
    return AutoencoderDetector(random_state=settings.seed, settings=settings).fit(
        Rows(dataset.X, train), X_validation=Rows(dataset.X, validation) if len(validation) else None,
        in_nats=IN_NATS, rarities=catalogue_rarities(), tell=lambda epoch: progress.advance(epoch.step - progress.done))


def _train(settings: Hyperparameters, store: ObjectStore, registry: Registry, dataset: Dataset,
           splits: NDArray[np.str_], now: datetime) -> Mapping[str, Any]:
    provenance = dataset.provenance
    tags = {"features_run_id": provenance.run_id, "settings_hash": hash_of(settings),
            "feature_fingerprint": provenance.feature_fingerprint, "score_fingerprint": score_fingerprint(),
            "input_snapshot": provenance.input_snapshot,
            "code_version": provenance.code_version, "n_rows": str(len(dataset))}
    stamp = f"{now:%Y%m%dT%H%M%SZ}"
    with registry.run(stamp, settings.model_dump(), tags) as run_id:
        detector = fit_detector(dataset, splits, settings)
        version = f"{stamp}-{run_id[:8]}"
        assembled = assemble_model(detector, dataset, splits, settings, version, run_id)
        model = AnomalyModel.from_bytes(assembled.content)
        get_logger().info("ml_training.model_fitted", model_version=version, steps=detector.epochs_[-1].step,
                          threshold=model.threshold, bytes=len(assembled.content))
        champion = registry.find(CHAMPION)
        champion_model = load_registered(registry, champion) if champion else None
        test = rows_of(splits, "test", dataset.warm_up)
        comparison = compare_on_later_rows(model, champion_model, dataset.X[test], dataset.repositories[test], settings)
        log_run(registry, run_id, FittedRun(detector, assembled, dataset, splits, comparison), settings, store.uri, now)
        tags |= {"model_version": version, "sha256": hashlib.sha256(assembled.content).hexdigest(),
                 "gate": comparison.reason}
        registered = registry.register(run_id, tags)
        # The verdicts come first: who sees the alias finds them.
        n_unusual = write_verdicts(store, model, dataset, splits)
        alias = CHAMPION if comparison.passes else CHALLENGER
        if comparison.passes:
            crown(registry, store, registered, champion, "the gate", comparison.reason, now)
        else:
            _renew_champions_verdicts(store, champion_model, dataset, splits)
            registry.set_alias(alias, registered.number)
    return {"trained": True, "model_version": version, "registry_version": registered.number, "alias": alias,
            "gate": comparison.reason, "features_run_id": provenance.run_id, "n_rows": len(dataset),
            "n_fitted": int(len(rows_of(splits, "train", dataset.warm_up))), "n_unusual": n_unusual,
            "threshold": model.threshold, "feature_fingerprint": provenance.feature_fingerprint}


def _renew_champions_verdicts(store: ObjectStore, champion: AnomalyModel | None, dataset: Dataset,
                              splits: NDArray[np.str_]) -> None:
    """Let the champion, which stays, judge the new features: what people read is its list."""
    if champion is not None and champion.fingerprints == (dataset.provenance.feature_fingerprint, score_fingerprint()):
        write_verdicts(store, champion, dataset, splits)
        point_to_champion(store, champion.version)
