"""MLflow: runs, their figures and files, and the registered model with its aliases."""

import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sentinel.errors import FixNeededError, NotFoundError, UnavailableError
from sentinel.settings import MlflowSettings

Alias = Literal["champion", "challenger"]

CHAMPION, CHALLENGER = "champion", "challenger"
MODEL_FOLDER, MODEL_FILE = "model", "model/model.onnx"
# The defaults hide an outage for minutes (253 s refused, more than 900 s hanging).
BUDGET = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1", "MLFLOW_DISABLE_TELEMETRY": "true",
}
METRICS_AT_ONCE = 1_000  # MLflow takes no more in one call
DIGEST_CHARACTERS = 36  # MLflow takes no more
SQLITE = "sqlite:///"


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    """One version in the registry; `number` is the registry's own count."""

    number: str
    run_id: str
    tags: Mapping[str, str]
    aliases: tuple[str, ...]

    @property
    def model_version(self) -> str:
        """Return the version that the model gives itself."""
        return self.tags.get("model_version", "")


class Registry:
    """The tracking server and the registry of one model name; importing mlflow waits until one is made."""

    def __init__(self, settings: MlflowSettings) -> None:
        """Connect; raises UnavailableError when the server or file cannot be used."""
        for name, value in BUDGET.items():
            os.environ.setdefault(name, value)
        os.environ.update(settings.mlflow_credentials)
        from mlflow import MlflowClient

        logging.getLogger("mlflow").setLevel(logging.WARNING)
        logging.getLogger("alembic").setLevel(logging.WARNING)
        self.uri, self.model_name = settings.mlflow_tracking_uri, settings.model_name
        with self._translated("open"):
            self._client = MlflowClient(self.uri, registry_uri=self.uri)
            self._experiment_id = self._find_or_create_experiment()

    def find(self, alias: str) -> RegisteredModel | None:
        """Return the version that carries the alias, or None."""
        return next((model for model in self.versions() if alias in model.aliases), None)

    def versions(self) -> list[RegisteredModel]:
        """Return all versions, the newest first."""
        with self._translated("list models"):
            found = self._client.search_model_versions(f"name = '{self.model_name}'")
            registered = {}
            if found:  # a search does not tell the aliases on every back end
                registered = self._client.get_registered_model(self.model_name).aliases
        return sorted((
            RegisteredModel(str(version.version), version.run_id, dict(version.tags), tuple(
                alias for alias, number in registered.items() if str(number) == str(version.version)))
            for version in found), key=lambda model: -int(model.number))

    @contextmanager
    def run(self, name: str, parameters: Mapping[str, Any], tags: Mapping[str, str]) -> Iterator[str]:
        """Begin a run, give its id, and end it as finished, or as failed when the block raises."""
        from mlflow.entities import Param, RunTag

        with self._translated("begin a run"):
            run = self._client.create_run(self._experiment_id, run_name=name)
            run_id = run.info.run_id
            self._client.log_batch(run_id, params=[Param(key, str(value)) for key, value in parameters.items()],
                                   tags=[RunTag(key, value) for key, value in tags.items()])
        try:
            yield run_id
        except BaseException:
            with self._translated("end a run"):
                self._client.set_terminated(run_id, "FAILED")
            raise
        with self._translated("end a run"):
            self._client.set_terminated(run_id, "FINISHED")

    def log_metrics(self, run_id: str, metrics: list[tuple[str, float, int, int]]) -> None:
        """Log (name, value, step, milliseconds since 1970) rows."""
        from mlflow.entities import Metric

        rows = [Metric(name, value, at, step) for name, value, step, at in metrics]
        with self._translated("log metrics"):
            for start in range(0, len(rows), METRICS_AT_ONCE):
                self._client.log_batch(run_id, metrics=rows[start:start + METRICS_AT_ONCE])

    def tag_run(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Write tags on a run."""
        from mlflow.entities import RunTag

        with self._translated("tag a run"):
            self._client.log_batch(run_id, tags=[RunTag(name, value) for name, value in tags.items()])

    def log_dataset(self, run_id: str, name: str, digest: str, source: str, columns: Sequence[str],
                    n_rows: int) -> None:
        """Say which dataset the run was trained on; `columns` are numbers, `digest` is at most 36 characters."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        schema = {"mlflow_colspec": [{"name": column, "type": "double", "required": True} for column in columns]}
        dataset = Dataset(name, digest[:DIGEST_CHARACTERS], "http",
                          json.dumps({"url": source}), json.dumps(schema), json.dumps({"num_rows": n_rows}))
        with self._translated("log the dataset"):
            self._client.log_inputs(run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])])

    def log_folder(self, run_id: str, folder: Path) -> None:
        """Store every file of `folder` with the run."""
        with self._translated("store the run's files"):
            self._client.log_artifacts(run_id, str(folder))

    def register(self, run_id: str, tags: Mapping[str, str]) -> RegisteredModel:
        """Make the model of a run the registry's newest version."""
        from mlflow.exceptions import MlflowException

        with self._translated("register the model"):
            try:
                self._client.get_registered_model(self.model_name)
            except MlflowException:
                self._client.create_registered_model(self.model_name)
            source = f"{self._client.get_run(run_id).info.artifact_uri}/{MODEL_FOLDER}"
            version = self._client.create_model_version(self.model_name, source, run_id, tags=dict(tags))
        return RegisteredModel(str(version.version), run_id, dict(tags), ())

    def set_alias(self, alias: str, number: str) -> None:
        """Move an alias to a version, in one step; the server swaps it whole."""
        with self._translated(f"move the alias {alias}"):
            self._client.set_registered_model_alias(self.model_name, alias, number)

    def remove_alias(self, alias: str) -> None:
        """Take an alias away."""
        with self._translated(f"remove the alias {alias}"):
            self._client.delete_registered_model_alias(self.model_name, alias)

    def tag_version(self, number: str, tags: Mapping[str, str]) -> None:
        """Write tags on a version."""
        with self._translated("tag a model"):
            for name, value in tags.items():
                self._client.set_model_version_tag(self.model_name, number, name, value)

    def download_model(self, model: RegisteredModel, folder: Path) -> bytes:
        """Return the model file of a version, by way of `folder`."""
        with self._translated(f"download model {model.number}"):
            path = Path(self._client.download_artifacts(model.run_id, MODEL_FILE, str(folder)))
            return path.read_bytes()

    def _find_or_create_experiment(self) -> str:
        found = self._client.get_experiment_by_name(self.model_name)
        if found is not None:
            return str(found.experiment_id)
        return str(self._client.create_experiment(self.model_name, artifact_location=artifact_location(self.uri)))

    @contextmanager
    def _translated(self, doing: str) -> Iterator[None]:
        from mlflow.exceptions import MlflowException

        try:
            yield
        except MlflowException as error:
            kind = FixNeededError if error.get_http_status_code() in (400, 401, 403) else UnavailableError
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                kind = NotFoundError
            if error.error_code == "RESOURCE_ALREADY_EXISTS":
                kind = UnavailableError  # another training made it a moment ago; the next run finds it
            raise kind(f"MLflow at {self.uri}: could not {doing} ({error.error_code}); "
                       "check that it runs and has room, then run this again") from error
        except (OSError, ConnectionError) as error:
            raise UnavailableError(f"MLflow at {self.uri}: could not {doing} ({type(error).__name__}: {error}); "
                                   "make room or mend the disk, then run this again") from error


def artifact_location(tracking_uri: str) -> str | None:
    """Return where a run's files go: beside the SQLite file; a server decides for itself."""
    if not tracking_uri.startswith(SQLITE):
        return None
    folder = Path(tracking_uri.removeprefix(SQLITE)).absolute().parent / "mlflow-artifacts"
    return folder.as_uri()
