"""Settings: read once from the environment, checked all at once, frozen.

Each stage composes its own settings from the parts here. A setting's variable is its
name in capitals with the prefix SENTINEL_, unless another one is stated. Where VAULT_ADDR
is set, every setting of type SecretStr comes from Vault, and from nowhere else.
"""

import os
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, get_args

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
    mlflow_tracking_username: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("mlflow_tracking_username", "MLFLOW_TRACKING_USERNAME"),
        description="user of the MLflow server, where it wants one",
    )
    mlflow_tracking_password: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("mlflow_tracking_password", "MLFLOW_TRACKING_PASSWORD"),
        description="password of that user",
    )

    @property
    def mlflow_credentials(self) -> dict[str, str]:
        """Return the variables of the credentials; MLflow's client takes them from its environment only."""
        given = {"MLFLOW_TRACKING_USERNAME": self.mlflow_tracking_username,
                 "MLFLOW_TRACKING_PASSWORD": self.mlflow_tracking_password}
        return {variable: value.get_secret_value() for variable, value in given.items() if value is not None}


SettingsT = TypeVar("SettingsT", bound=Settings)
VAULT_ADDRESS = "VAULT_ADDR"


def load_settings(kind: type[SettingsT], **given: Any) -> SettingsT:
    """Read `kind` from the environment, and its secrets from Vault where VAULT_ADDR is set.

    Values `given` (from the command line) win, None is not given.
    Raises SettingsError, which lists every setting that is missing or wrong, and what sentinel.vault raises.
    """
    known = {name: value for name, value in given.items() if value is not None}
    secrets = [name for name in secret_names(kind) if name not in known]
    if VAULT_ADDRESS in os.environ and secrets:
        return _make(kind, known | _read_from_vault(kind, secrets), os.environ.get("VAULT_SECRET_PATH"))
    return _make(kind, known)


def secret_names(kind: type[Settings]) -> list[str]:
    """Return the settings whose values are never shown, those of type SecretStr."""
    return [name for name, field in kind.model_fields.items()
            if field.annotation is SecretStr or SecretStr in get_args(field.annotation)]


def variable_of(kind: type[Settings], name: str) -> str:
    """Return the environment variable that holds the setting `name`."""
    alias = kind.model_fields[name].validation_alias
    if isinstance(alias, AliasChoices):
        return str(alias.choices[-1])
    return f"SENTINEL_{name}".upper()


def environment_of(settings: Settings) -> Mapping[str, str]:
    """Return the variables that give another process these settings; secrets only where no Vault gives them."""
    variables = {}
    hidden = secret_names(type(settings)) if VAULT_ADDRESS in os.environ else []
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if value is not None and name not in hidden:
            shown = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
            variables[variable_of(type(settings), name)] = shown
    return variables


def _read_from_vault(kind: type[Settings], names: Iterable[str]) -> dict[str, SecretStr]:
    """Return those of the secrets `names` that Vault has; raises SettingsError where the environment holds one."""
    variables = {variable_of(kind, name): name for name in names}
    spelt = {variable.upper() for variable in os.environ}  # capitals or not is one to pydantic-settings
    beside = [variable for variable, name in variables.items() if {variable, f"SENTINEL_{name}".upper()} & spelt]
    if beside:
        raise SettingsError(f"secrets in the environment beside {VAULT_ADDRESS}: {', '.join(beside)}; expected them "
                            f"in Vault only; remove them from the environment, or {VAULT_ADDRESS} where no Vault is "
                            "to be asked")
    from sentinel.vault import read_secrets  # hvac is for processes that have a Vault
    from sentinel.vault_settings import VaultSettings

    found = read_secrets(_make(VaultSettings, {}))
    return {name: found[variable] for variable, name in variables.items() if variable in found}


def _make(kind: type[SettingsT], known: Mapping[str, Any], secret_path: str | None = None) -> SettingsT:
    """Check everything at once; `secret_path` is where in Vault the secrets were looked for."""
    try:
        return kind(**known)
    except ValidationError as error:
        problems = [_describe(kind, dict(problem), known, secret_path) for problem in error.errors()]
        raise SettingsError("settings missing or wrong:\n" + "\n".join(problems)) from None


def _describe(kind: type[Settings], problem: dict[str, Any], known: Mapping[str, Any],
              secret_path: str | None) -> str:
    location = str(problem["loc"][0]) if problem["loc"] else ""
    name = next((n for n in kind.model_fields if location in (n, variable_of(kind, n))), None)
    wrong = problem["msg"].removeprefix("Value error, ")  # it may name other settings, in capitals
    if name is None:
        return f"  {location}: {wrong}" if location else f"  {wrong}"
    field, variable = kind.model_fields[name], variable_of(kind, name)
    is_set = variable in os.environ or name in known
    if secret_path is not None and name in secret_names(kind):
        seen = f"{'set' if is_set else 'no such key'} in Vault at {secret_path}"
    else:
        seen = "set" if is_set else "not set"
    example = f", for example {field.examples[0]}" if field.examples else ""
    return f"  {variable} ({seen}): {field.description}; {wrong[:1].lower()}{wrong[1:]}{example}"
