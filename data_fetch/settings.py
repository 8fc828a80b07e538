"""The settings of data_fetch."""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AliasChoices, AwareDatetime, Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import NoDecode

from sentinel.settings import MongoSettings


class DataFetchSettings(MongoSettings):
    """Which sources to read, with which access, and what may go wrong."""

    repositories: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="repositories on GitHub, one a line; OWNER/* for all of an account",
        examples=["pallets/flask"],
    )
    sources: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), validate_default=True, description="URIs of the sources, one a line",
        examples=["github:pallets/flask", "git:../flask", "jsonl:pull-requests.jsonl.gz", "simulated:"],
    )
    full: bool = Field(
        default=False, description="read everything again, whatever an earlier run has read", examples=["true"],
    )
    since: AwareDatetime | None = Field(
        default=None, description="read only pull requests that changed then or later (UTC), and leave alone how far "
        "earlier runs came", examples=["2026-01-31", "2026-01-31T09:30:00Z"],
    )
    max_rejected_share: float = Field(
        default=0.05, ge=0, le=1, description="share of unreadable records above which the run fails",
        examples=["0.05"],
    )
    github_token: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("github_token", "GITHUB_TOKEN"),
        description="token that may read the repositories' pull requests", examples=["github_pat_..."],
    )
    github_api_url: str = Field(
        default="https://api.github.com", pattern=r"^https?://", description="address of GitHub's API",
        examples=["https://github.example.com/api/v3"],
    )
    github_app_id: str | None = Field(
        default=None, description="id of the GitHub App that asks instead of a token's holder", examples=["123456"],
    )
    github_app_installation_id: str | None = Field(
        default=None, pattern="^[0-9]+$", description="id of the App's installation in the organisation",
        examples=["12345678"],
    )
    github_app_private_key: SecretStr | None = Field(
        default=None, validate_default=True, description="private key of the App, as PEM text",
        examples=["-----BEGIN RSA PRIVATE KEY-----..."],
    )
    github_budget_seconds: float = Field(
        default=3600.0, gt=0, description="how long reading from GitHub may take, waits for its limits included",
        examples=["3600"],
    )
    github_readers: int = Field(
        default=4, ge=1, le=16, description="how many repositories are asked for at once", examples=["8"],
    )
    pushgateway_url: str | None = Field(
        default=None, pattern=r"^https?://", description="Prometheus push gateway that gets the counts of each run",
        examples=["http://pushgateway:9091"],
    )
    git_patches: bool = Field(
        default=True, description="read the changed lines of git: sources, not only their counts", examples=["false"],
    )

    @property
    def all_sources(self) -> tuple[str, ...]:
        """Return the URIs of the sources, those of the repositories among them."""
        return *self.sources, *(f"github:{name}" for name in self.repositories)

    @field_validator("sources", "repositories", mode="before")
    @classmethod
    def _split_lines(cls, value: Any) -> Any:
        """Read the environment's form: one a line."""
        if isinstance(value, str):
            return tuple(line.strip() for line in value.splitlines() if line.strip())
        return value

    @field_validator("since", mode="before")
    @classmethod
    def _read_time(cls, value: Any, info: ValidationInfo) -> Any:
        """Read a date or a time, in UTC where it names no zone."""
        if value is not None and info.data.get("full"):
            raise ValueError("either everything again (full) or what changed since a time, not both")
        if not isinstance(value, str):
            return value
        try:
            time = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError(f"seen {value!r}, expected a date or a time in ISO 8601") from None
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time

    @field_validator("sources")
    @classmethod
    def _at_least_one(cls, sources: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if not sources and not info.data.get("repositories"):
            raise ValueError("name at least one, or a repository in SENTINEL_REPOSITORIES")
        return sources

    @field_validator("github_app_private_key")
    @classmethod
    def _app_is_whole(cls, private_key: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        given = [private_key, info.data.get("github_app_id"), info.data.get("github_app_installation_id")]
        if any(given) and not all(given):
            raise ValueError("a GitHub App needs all three: SENTINEL_GITHUB_APP_ID, "
                             "SENTINEL_GITHUB_APP_INSTALLATION_ID and SENTINEL_GITHUB_APP_PRIVATE_KEY")
        return private_key
