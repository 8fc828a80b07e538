"""A pull request with the verdict that the champion gave it, as the file of verdicts keeps it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that is unusual, in words; `contribution` is its group's share of the score."""

    feature: str
    group: str
    sentence: str
    contribution: float
    value: float
    percentile: float  # of the value, 0 to 100: a surprise in its repository, others among all fitted rows


@dataclass(frozen=True, slots=True)
class JudgedPullRequest:
    """How unusual one known pull request is in its repository, the most telling reason first."""

    repository: str
    number: int
    title: str
    author: str | None
    opened_at: datetime
    additions: int
    deletions: int
    changed_files: int
    split: str
    warm_up: bool  # the repository's history was still too short to know what is usual
    score: float  # at least 0; higher is more unusual
    percentile: float  # of the score in its repository, 0 to 100
    threshold: float
    is_unusual: bool
    reasons: tuple[Reason, ...]

    @property
    def name(self) -> str:
        """Return OWNER/NAME#N."""
        return f"{self.repository}#{self.number}"


COLUMNS = tuple(JudgedPullRequest.__slots__)


def read_row(row: Mapping[str, Any]) -> JudgedPullRequest:
    """Return one row of the file of verdicts, of which other columns are left out."""
    reasons = tuple(Reason(**{name: reason[name] for name in Reason.__slots__}) for reason in row["reasons"] or ())
    values = {name: row[name] for name in COLUMNS}
    return JudgedPullRequest(**values | {"reasons": reasons, "opened_at": to_utc(row["opened_at"])})


def to_utc(time: datetime) -> datetime:
    """Return the time in UTC; one without a zone is UTC."""
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
