"""Copy the champion from MLflow, and its histories from the object store, into a folder of this machine.

The scorer runs this as a process of its own: what MLflow needs in memory and time never
burdens a request, and a server that does not answer is cut off by the clock.
"""

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow.parquet
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from numpy.typing import NDArray

from model_serving.champion_copy import (
    HISTORIES, MODEL, QUANTILES, VERDICTS, ChampionFacts, ChampionFolder, hash_files,
)
from model_serving.settings import ServingSettings
from sentinel.errors import CorruptFileError, NotFoundError, UnavailableError
from sentinel.features import feature_fingerprint
from sentinel.model import AnomalyModel
from sentinel.object_store import ObjectStore, open_object_store
from sentinel.provenance import Provenance, find_latest_run, read_provenance

ALIAS = "champion"
N_QUANTILES = 65  # of a feature in a repository: enough to draw 32 bars
HTTP_SECONDS, HTTP_RETRIES = 5, 1  # MLflow's own defaults wait for minutes
MISSING_CODES = frozenset({"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"})


def copy_champion(settings: ServingSettings) -> str:
    """Make the champion the copy in use and return the copy's name; nothing is written where it already is.

    Raises NotFoundError where no champion or no features exist, UnavailableError where MLflow does not answer.
    """
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(HTTP_SECONDS))
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", str(HTTP_RETRIES))
    client = MlflowClient(settings.mlflow_tracking_uri, settings.mlflow_tracking_uri)
    registered = find_champion(client, settings.model_name)
    store = open_object_store(settings)
    folder = ChampionFolder(settings.champion_folder)
    with folder.unfinished() as unfinished:
        _download_model(settings, registered, unfinished)
        model = AnomalyModel.load(unfinished / MODEL, registered.tags.get("sha256"))
        model.check_fingerprint(feature_fingerprint())
        provenance = find_histories(store, model)
        is_ranked = _download_verdicts(store, model, unfinished / VERDICTS)
        identity = (model.version, str(registered.version), provenance.run_id, is_ranked)
        if (name := _name_of_same(folder, identity)) is None:
            histories = _download_histories(store, provenance, unfinished)
            _write_quantiles(store, provenance, unfinished / QUANTILES)
            facts = _facts(registered, model, provenance, histories, unfinished)
            folder.publish(unfinished, facts)
            name = facts.name
    return name


def find_champion(client: MlflowClient, model_name: str) -> ModelVersion:
    """Return the version under the alias; raises NotFoundError or UnavailableError."""
    try:
        return client.get_model_version_by_alias(model_name, ALIAS)
    except MlflowException as error:
        if error.error_code in MISSING_CODES:
            raise _no_champion(model_name) from error
        raise _unavailable(error) from error


def find_histories(store: ObjectStore, model: AnomalyModel) -> Provenance:
    """Return the newest run whose features mean what they meant in training, else the run of training."""
    latest = find_latest_run(store)
    if latest.feature_fingerprint == model.feature_fingerprint:
        return latest
    trained_on = read_provenance(store, model.card.features_run_id)
    model.check_fingerprint(trained_on.feature_fingerprint)
    return trained_on


def _download_model(settings: ServingSettings, registered: ModelVersion, folder: Path) -> None:
    downloads = folder / "downloads"
    try:
        downloaded = Path(download_artifacts(
            artifact_uri=f"models:/{registered.name}/{registered.version}", dst_path=str(downloads),
            tracking_uri=settings.mlflow_tracking_uri, registry_uri=settings.mlflow_tracking_uri))
    except (MlflowException, OSError) as error:
        raise _unavailable(error) from error
    found = [downloaded] if downloaded.name == MODEL else sorted(downloaded.rglob(MODEL))
    if not found:
        raise NotFoundError(f"{registered.name} version {registered.version} holds no {MODEL}; train it again")
    found[0].replace(folder / MODEL)
    shutil.rmtree(downloads)


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
        store.get_file(f"verdicts/{model.version}.parquet", target)
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


def _facts(registered: ModelVersion, model: AnomalyModel, provenance: Provenance, histories: dict[str, str],
           folder: Path) -> ChampionFacts:
    now = datetime.now(UTC)
    return ChampionFacts(
        name=f"{now:%Y%m%dT%H%M%S%fZ}-{model.version}", model_name=registered.name,
        registry_version=str(registered.version), mlflow_run_id=registered.run_id or None,
        model_version=model.version, features_run_id=provenance.run_id,
        feature_fingerprint=provenance.feature_fingerprint, n_pull_requests=provenance.n_pull_requests,
        opened_until=provenance.opened_until, copied_at=now.isoformat(timespec="seconds"),
        feature_names=provenance.feature_names, histories=histories, files=hash_files(folder),
    )


def _no_champion(model_name: str) -> NotFoundError:
    return NotFoundError(f"MLflow knows no {model_name} with the alias {ALIAS}; train one with `python -m ml_training`")


def _unavailable(error: Exception) -> UnavailableError:
    return UnavailableError(f"MLflow did not answer as it should ({type(error).__name__}: {str(error)[:300]}); "
                            "check that the server in MLFLOW_TRACKING_URI runs")
