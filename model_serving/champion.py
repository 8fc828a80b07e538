"""Copy the champion from MLflow, and what belongs to it from the object store, to this machine.

The scorer runs this as a process of its own: what MLflow needs in memory and time never
burdens a request, and a server that does not answer is cut off by the clock.
"""

import os
import shutil
from pathlib import Path

from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from model_serving.assembly import Registration, assemble_copy
from model_serving.champion_copy import MODEL, ChampionFolder
from model_serving.settings import ServingSettings
from sentinel.errors import NotFoundError, UnavailableError
from sentinel.object_store import open_object_store

ALIAS = "champion"
HTTP_SECONDS, HTTP_RETRIES = 5, 1  # MLflow's own defaults wait for minutes
MISSING_CODES = frozenset({"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"})


def copy_champion(settings: ServingSettings) -> str:
    """Make the champion the copy in use and return the copy's name; nothing is written where it already is.

    Raises NotFoundError where no champion or no features exist, UnavailableError where MLflow does not answer.
    """
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(HTTP_SECONDS))
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", str(HTTP_RETRIES))
    os.environ.update(settings.mlflow_credentials)
    client = MlflowClient(settings.mlflow_tracking_uri, settings.mlflow_tracking_uri)
    registered = find_champion(client, settings.model_name)
    registration = Registration(registered.name, str(registered.version), registered.run_id or None,
                                registered.tags.get("sha256"))
    folder = ChampionFolder(settings.champion_folder)
    with folder.unfinished() as unfinished:
        _download_model(settings, registered, unfinished)
        return assemble_copy(folder, unfinished, open_object_store(settings), registration)


def find_champion(client: MlflowClient, model_name: str) -> ModelVersion:
    """Return the version under the alias; raises NotFoundError or UnavailableError."""
    try:
        return client.get_model_version_by_alias(model_name, ALIAS)
    except MlflowException as error:
        if error.error_code in MISSING_CODES:
            raise _no_champion(model_name) from error
        raise _unavailable(error) from error


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


def _no_champion(model_name: str) -> NotFoundError:
    return NotFoundError(f"MLflow knows no {model_name} with the alias {ALIAS}; train one with `python -m ml_training`")


def _unavailable(error: Exception) -> UnavailableError:
    return UnavailableError(f"MLflow did not answer as it should ({type(error).__name__}: {str(error)[:300]}); "
                            "check that the server in MLFLOW_TRACKING_URI runs")
