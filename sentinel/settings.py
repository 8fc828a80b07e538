"""Settings: read once from the environment, checked all at once, frozen.

Each stage composes its own settings from the parts here. A setting's variable is its
name in capitals with the prefix SENTINEL_, unless another one is stated.
"""

import os
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import AliasChoices, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from sentinel.errors import SettingsError


class Settings(BaseSettings):
    """The base of all settings: frozen, and values never shown in errors."""

    model_config = SettingsConfigDict(
        env_prefix="SENTINEL_", frozen=True, extra="forbid", hide_input_in_errors=True, populate_by_name=True,
    )


class MongoSettings(Settings):
    """Where the pull requests are."""

    mongodb_uri: SecretStr = Field(
        validation_alias=AliasChoices("mongodb_uri", "MONGODB_URI"),
        description="address of the MongoDB server, with the credentials if it wants some",
        examples=["mongodb://127.0.0.1:27017"],
    )
    mongodb_database: str = Field(
        default="sentinel", description="database that holds the pull requests", examples=["sentinel"],
    )
    mongodb_budget_seconds: float = Field(
        default=30.0, gt=0, description="how long one operation may take, retries included", examples=["30"],
    )


class ObjectStoreSettings(Settings):
    """Where features, histories and verdicts are."""

    object_store_uri: str = Field(
        description="folder or bucket of features, histories and verdicts",
        examples=["s3://sentinel/production", "file:///var/lib/sentinel"],
    )
    s3_endpoint: str | None = Field(
        default=None, description="address of an S3 server that is not Amazon's",
        examples=["https://fra1.digitaloceanspaces.com"],
    )
    s3_region: str = Field(default="us-east-1", description="region of the bucket", examples=["fra1"])
    s3_access_key: SecretStr | None = Field(default=None, description="access key of the bucket")
    s3_secret_key: SecretStr | None = Field(default=None, description="secret key of the bucket")
    s3_encryption: str | None = Field(
        default=None, description="server-side encryption to ask for", examples=["AES256"],
    )


class MlflowSettings(Settings):
    """Where runs and models are."""

    mlflow_tracking_uri: str = Field(
        validation_alias=AliasChoices("mlflow_tracking_uri", "MLFLOW_TRACKING_URI"),
        description="address of the MLflow server, or an SQLite file",
        examples=["http://mlflow:5000", "sqlite:////var/lib/sentinel/mlflow.db"],
    )
    model_name: str = Field(
        default="pull-request-anomaly", description="name of the registered model", examples=["pull-request-anomaly"],
    )


SettingsT = TypeVar("SettingsT", bound=Settings)


def load_settings(kind: type[SettingsT], **given: Any) -> SettingsT:
    """Read `kind` from the environment; values `given` (from the command line) win, None is not given.

    Raises SettingsError, which lists every setting that is missing or wrong.
    """
    try:
        return kind(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        problems = [_describe(kind, dict(problem)) for problem in error.errors()]
        raise SettingsError("settings missing or wrong:\n" + "\n".join(problems)) from None


def variable_of(kind: type[Settings], name: str) -> str:
    """Return the environment variable that holds the setting `name`."""
    alias = kind.model_fields[name].validation_alias
    if isinstance(alias, AliasChoices):
        return str(alias.choices[-1])
    return f"SENTINEL_{name}".upper()


def environment_of(settings: Settings) -> Mapping[str, str]:
    """Return the variables that give another process these settings, secrets included."""
    variables = {}
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if value is not None:
            shown = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
            variables[variable_of(type(settings), name)] = shown
    return variables


def _describe(kind: type[Settings], problem: dict[str, Any]) -> str:
    location = str(problem["loc"][0]) if problem["loc"] else ""
    name = next((n for n in kind.model_fields if location in (n, variable_of(kind, n))), None)
    if name is None:
        return f"  {location}: {problem['msg']}"
    field, variable = kind.model_fields[name], variable_of(kind, name)
    seen = "set" if variable in os.environ else "not set"
    example = f", for example {field.examples[0]}" if field.examples else ""
    return f"  {variable} ({seen}): {field.description}; {problem['msg'].lower()}{example}"
