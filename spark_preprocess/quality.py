"""The quality of a run's features: counts become shares, pandera checks them, findings warn or stop."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import reduce
from operator import add
from typing import Any, Literal

import numpy as np
import orjson
import pandas
import pandera.pandas as pandera

from sentinel.errors import DataUnusableError
from sentinel.features import CATALOGUE
from sentinel.logs import get_logger
from spark_preprocess.quality_counts import FeatureCounts, RepositoryCounts

LEAST_ROWS = 100  # in smaller repositories an author or a day dominates by right
SHOWN_FINDINGS = 5
# The largest share of rows that is still good; what is above is a finding.
SOFT_FEATURE_SHARES = {"outside": 0.0}
HARD_FEATURE_SHARES = {"infinite": 0.0, "outside": 0.01}
SOFT_REPOSITORY_SHARES = {"duplicates": 0.0, "future": 0.0, "ancient": 0.0, "top_author": 0.5, "top_day": 0.2}
HARD_TOTAL_SHARES = {"duplicates": 0.01, "future": 0.01}
WORDS = {
    "infinite": "values that are infinite", "outside": "values outside the range that the catalogue states",
    "duplicates": "numbers that came before", "future": "opened in the future",
    "ancient": "opened before git existed", "top_author": "opened by one author", "top_day": "opened on one day",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One share that is above what is good."""

    severity: Literal["soft", "hard"]
    check: str  # a key of WORDS
    subject: str  # a feature, a repository, or "all"
    share: float
    most: float  # the share that would have been good

    def __str__(self) -> str:
        """Say it to a person."""
        return f"{self.subject}: {self.share:.2%} {WORDS[self.check]}, expected at most {self.most:.0%}"


@dataclass(frozen=True, slots=True)
class QualityReport:
    """What was counted in a run, and what of it is not as it should be."""

    run_id: str
    findings: tuple[Finding, ...]
    features: FeatureCounts
    repositories: tuple[RepositoryCounts, ...]

    @property
    def hard(self) -> tuple[Finding, ...]:
        """Return the findings that stop a run."""
        return tuple(finding for finding in self.findings if finding.severity == "hard")

    def to_json(self) -> bytes:
        """Return the whole report as JSON."""
        by_feature = {
            feature.name: {"group": feature.group, "expected": [feature.lowest, feature.highest]} | {
                name: values[place] for name, values in asdict(self.features).items() if name != "n_rows"}
            for place, feature in enumerate(CATALOGUE)}
        findings = [{**asdict(finding), "text": str(finding)} for finding in self.findings]
        return orjson.dumps({
            "run_id": self.run_id, "n_pull_requests": self.features.n_rows, "findings": findings,
            "features": by_feature, "repositories": [asdict(counts) for counts in self.repositories],
        }, option=orjson.OPT_INDENT_2)


def check_quality(run_id: str, features: Iterable[FeatureCounts], repositories: Iterable[RepositoryCounts],
                  ) -> QualityReport:
    """Check the counts of all executors together."""
    counted = reduce(add, features)
    by_repository = tuple(sorted(repositories, key=lambda counts: counts.repository))
    of_features = pandas.DataFrame(
        {name: np.array(getattr(counted, name)) / max(counted.n_rows, 1) for name in HARD_FEATURE_SHARES},
        index=[feature.name for feature in CATALOGUE])
    of_repositories = _to_shares(by_repository)
    total = pandas.DataFrame({name: [sum(getattr(counts, name) for counts in by_repository) / max(counted.n_rows, 1)]
                              for name in HARD_TOTAL_SHARES}, index=["all"])
    hard = (*_find("hard", of_features, HARD_FEATURE_SHARES), *_find("hard", total, HARD_TOTAL_SHARES))
    soft = (*_find("soft", of_features, SOFT_FEATURE_SHARES), *_find("soft", of_repositories, SOFT_REPOSITORY_SHARES))
    known = {(finding.check, finding.subject) for finding in hard}
    return QualityReport(run_id, (*hard, *(one for one in soft if (one.check, one.subject) not in known)),
                         counted, by_repository)


def stop_where_hard(report: QualityReport, place: str) -> None:
    """Log the findings; raise DataUnusableError where one is hard. `place` tells where the report is."""
    for finding in report.findings[:SHOWN_FINDINGS]:
        get_logger().warning("spark_preprocess.quality_finding", severity=finding.severity, check=finding.check,
                             subject=finding.subject, share=round(finding.share, 4), expected_at_most=finding.most)
    if report.hard:
        told = "; ".join(map(str, report.hard[:SHOWN_FINDINGS]))
        raise DataUnusableError(
            f"{len(report.hard)} findings about the quality of the features stop this run ({told}); see {place}, "
            "which stays for a day, mend the source and fetch again; the last good run stays in place")


def _to_shares(repositories: tuple[RepositoryCounts, ...]) -> pandas.DataFrame:
    """Return one row a repository; a share that says nothing in a small one is absent."""
    def share(counts: RepositoryCounts, name: str) -> float:
        if not name.startswith("top_"):
            return getattr(counts, name) / max(counts.n_rows, 1)
        count = counts.by_top_author if name == "top_author" else counts.on_top_day
        return count / counts.n_rows if counts.n_rows >= LEAST_ROWS else np.nan

    return pandas.DataFrame({name: [share(counts, name) for counts in repositories]
                             for name in SOFT_REPOSITORY_SHARES}, index=[one.repository for one in repositories])


def _find(severity: Literal["soft", "hard"], shares: pandas.DataFrame, most: Mapping[str, float]) -> list[Finding]:
    """Return a finding for every share above what `most` allows."""
    schema = pandera.DataFrameSchema(
        {name: pandera.Column(float, pandera.Check.le(limit), nullable=True) for name, limit in most.items()})
    try:
        schema.validate(shares, lazy=True)
    except pandera.errors.SchemaErrors as error:
        failed: list[dict[str, Any]] = error.failure_cases.to_dict("records")
        return [Finding(severity, one["column"], str(one["index"]), float(one["failure_case"]), most[one["column"]])
                for one in failed]
    return []
