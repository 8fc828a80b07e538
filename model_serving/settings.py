"""The settings of the scorer, with the limits that keep one client from stopping the others."""

from pathlib import Path

from pydantic import Field, SecretStr

from sentinel.settings import MlflowSettings, ObjectStoreSettings

MEBIBYTE = 1_048_576


class ServingSettings(MlflowSettings, ObjectStoreSettings):
    """Where the model comes from, where the scorer listens, and what it takes at most."""

    host: str = Field(default="127.0.0.1", description="address to listen on", examples=["0.0.0.0"])
    port: int = Field(default=8080, ge=0, le=65_535, description="port to listen on; 0 takes a free one",
                      examples=["8080"])
    workers: int = Field(default=2, ge=1, le=64, description="worker processes, one per core", examples=["2"])
    champion_folder: Path = Field(
        default=Path(".sentinel/champion"), description="folder of the last good copy of model and histories",
        examples=["/var/lib/sentinel/champion"],
    )
    fetch_budget_seconds: float = Field(
        default=30.0, gt=0, description="how long copying the champion from MLflow may take", examples=["30"],
    )
    refresh_seconds: float = Field(
        default=300.0, gt=0, description="how often to look for a newer champion", examples=["300"],
    )
    graceful_seconds: int = Field(
        default=20, ge=1, description="how long requests may still run after SIGTERM", examples=["20"],
    )
    api_token: SecretStr | None = Field(
        default=None, description="token that every POST must carry; without one, reloading is off",
    )
    pull_request_url: str = Field(
        default="https://github.com/{repository}/pull/{number}", description="address of a pull request, for links",
        examples=["https://github.example.com/{repository}/pull/{number}"],
    )
    max_body_bytes: int = Field(
        default=4 * MEBIBYTE, gt=0, description="largest body of one pull request, unpacked", examples=["4194304"],
    )
    max_batch_bytes: int = Field(
        default=64 * MEBIBYTE, gt=0, description="largest body of a batch, unpacked", examples=["67108864"],
    )
    max_batch: int = Field(default=10_000, gt=0, description="most pull requests in one batch", examples=["10000"])
    body_seconds: float = Field(
        default=15.0, gt=0, description="how long a client may take to send its body", examples=["15"],
    )
    max_connections: int = Field(
        default=1_000, gt=0, description="open connections per worker, idle ones included", examples=["1000"],
    )
    max_wait_seconds: float = Field(
        default=1.0, gt=0, description="wait in a worker's queue above which requests are turned away",
        examples=["1"],
    )
