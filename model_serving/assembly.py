"""Put a model, its histories and its verdicts together into a copy on this machine."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow.parquet
from numpy.typing import NDArray

from model_serving.champion_copy import (
    HISTORIES, MODEL, QUANTILES, VERDICTS, ChampionFacts, ChampionFolder, hash_files,
)
from sentinel.errors import CorruptFileError, NotFoundError
from sentinel.features import feature_fingerprint
from sentinel.model import AnomalyModel
from sentinel.object_store import ObjectStore
from sentinel.provenance import Provenance, find_latest_run, read_provenance
from sentinel.verdict_files import verdicts_name

N_QUANTILES = 65  # of a feature in a repository: enough to draw 32 bars


@dataclass(frozen=True, slots=True)
class Registration:
    """What MLflow's registry says about a model."""

    model_name: str
    version: str
    run_id: str | None
    sha256: str | None


def assemble_copy(folder: ChampionFolder, unfinished: Path, store: ObjectStore, registration: Registration) -> str:
    """Complete `unfinished`, which holds the model, and make it the copy in use unless it already is; return its name.

    Raises NotFoundError where histories are missing, FingerprintError for a model of other code than this.
    """
    model = AnomalyModel.load(unfinished / MODEL, registration.sha256)
    model.check_fingerprint(feature_fingerprint())
    provenance = find_histories(store, model)
    is_ranked = _download_verdicts(store, model, unfinished / VERDICTS)
    identity = (model.version, registration.version, provenance.run_id, is_ranked)
    name = _name_of_same(folder, identity)
    if name is None:
        histories = _download_histories(store, provenance, unfinished)
        _write_quantiles(store, provenance, unfinished / QUANTILES)
        facts = _facts(registration, model, provenance, histories, unfinished)
        folder.publish(unfinished, facts)
        name = facts.name
    return name


def find_histories(store: ObjectStore, model: AnomalyModel) -> Provenance:
    """Return the newest run whose features mean what they meant in training, else the run of training."""
    latest = find_latest_run(store)
    if latest.feature_fingerprint == model.feature_fingerprint:
        return latest
    trained_on = read_provenance(store, model.card.features_run_id)
    model.check_fingerprint(trained_on.feature_fingerprint)
    return trained_on


def _name_of_same(folder: ChampionFolder, identity: tuple[str, str, str, bool]) -> str | None:
    """Return the name of the copy in use where it is whole and of the same model, histories and verdicts."""
    try:
        facts = folder.facts()
        for file in facts.files:
            folder.read(facts, file)
    except (NotFoundError, CorruptFileError):
        return None
    seen = (facts.model_version, facts.registry_version, facts.features_run_id, VERDICTS in facts.files)
    return facts.name if seen == identity else None


def _download_histories(store: ObjectStore, provenance: Provenance, folder: Path) -> dict[str, str]:
    """Return the file of each repository's history."""
    (folder / HISTORIES).mkdir()
    files = {}
    for number, repository in enumerate(sorted(provenance.repositories)):
        files[repository] = f"{HISTORIES}/{number}.history"
        store.get_file(provenance.history_name(repository), folder / files[repository])
    return files


def _download_verdicts(store: ObjectStore, model: AnomalyModel, target: Path) -> bool:
    """Tell whether the model has its verdicts yet; without them the scorer answers, but ranks nothing."""
    try:
        store.get_file(verdicts_name(model.version), target)
    except NotFoundError:
        target.unlink(missing_ok=True)
        return False
    return True


def _write_quantiles(store: ObjectStore, provenance: Provenance, target: Path) -> None:
    """Write float32 (n_repositories, n_features, N_QUANTILES): what is usual where, for drawing; NaN is unknown."""
    columns = ["repository", *provenance.feature_names]
    tables = []
    for part in provenance.parts:
        path = target.with_suffix(".part")
        store.get_file(part, path)
        tables.append(pyarrow.parquet.read_table(path, columns=columns))
        path.unlink()
    table = pyarrow.concat_tables(tables)
    rows = np.column_stack([table[name].to_numpy() for name in provenance.feature_names])
    owner = table["repository"].to_numpy(zero_copy_only=False)
    quantiles = np.stack([quantiles_of(rows[owner == name]) for name in sorted(provenance.repositories)])
    np.save(target, quantiles, allow_pickle=False)


def quantiles_of(rows: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return (n_features, N_QUANTILES) of rows (n_rows, n_features), NaN where no row has the feature."""
    quantiles = np.full((rows.shape[1], N_QUANTILES), np.nan, np.float32)
    for feature, column in enumerate(rows.T):
        known = column[np.isfinite(column)]
        if known.size:
            quantiles[feature] = np.quantile(known, np.linspace(0, 1, N_QUANTILES))
    return quantiles


def _facts(registration: Registration, model: AnomalyModel, provenance: Provenance, histories: dict[str, str],
           folder: Path) -> ChampionFacts:
    now = datetime.now(UTC)
    return ChampionFacts(
        name=f"{now:%Y%m%dT%H%M%S%fZ}-{model.version}", model_name=registration.model_name,
        registry_version=registration.version, mlflow_run_id=registration.run_id,
        model_version=model.version, features_run_id=provenance.run_id,
        feature_fingerprint=provenance.feature_fingerprint, n_pull_requests=provenance.n_pull_requests,
        opened_until=provenance.opened_until, copied_at=now.isoformat(timespec="seconds"),
        feature_names=provenance.feature_names, histories=histories, files=hash_files(folder),
    )
