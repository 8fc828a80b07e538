"""The settings of data_fetch."""

from typing import Annotated, Any

from pydantic import AliasChoices, Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from sentinel.settings import MongoSettings


class DataFetchSettings(MongoSettings):
    """Which sources to read, with which access, and what may go wrong."""

    sources: Annotated[tuple[str, ...], NoDecode] = Field(
        min_length=1, description="URIs of the sources, one a line",
        examples=["github:pallets/flask", "git:../flask", "jsonl:pull-requests.jsonl.gz", "simulated:"],
    )
    full: bool = Field(
        default=False, description="read everything again, whatever an earlier run has read", examples=["true"],
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
    github_budget_seconds: float = Field(
        default=3600.0, gt=0, description="how long one repository may take, waits for GitHub's limits included",
        examples=["3600"],
    )
    git_patches: bool = Field(
        default=True, description="read the changed lines of git: sources, not only their counts", examples=["false"],
    )

    @field_validator("sources", mode="before")
    @classmethod
    def _split_lines(cls, value: Any) -> Any:
        """Read the environment's form: one URI a line."""
        if isinstance(value, str):
            return tuple(line.strip() for line in value.splitlines() if line.strip())
        return value
