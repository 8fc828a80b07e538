"""MongoDB → features as parquet, histories, and the provenance that makes them count."""

import hashlib
import secrets
import time
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import sentinel
from sentinel.errors import DataUnusableError
from sentinel.features import FEATURE_NAMES, feature_fingerprint
from sentinel.logs import get_logger
from sentinel.mongo import open_pull_request_store
from sentinel.object_store import ObjectStore, open_object_store
from sentinel.provenance import (
    FEATURES, Provenance, begun_at, latest_run_id, publish_provenance, stored_history_name,
)
from spark_preprocess.mongo_partitions import StoredInput, look_over
from spark_preprocess.publish import Summary
from spark_preprocess.quality_counts import features_of_json, repository_of_json
from spark_preprocess.retention import delete_old_runs, delete_run, is_up_to_date
from spark_preprocess.settings import SparkPreprocessSettings
from spark_preprocess.time_spent import LOOKING_OVER, SPENT, STARTING, TimeSpent

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

REPORT_NAMES = ("quality.json", "quality.html")
Facts = Mapping[str, Any]


def preprocess(settings: SparkPreprocessSettings, environment: MutableMapping[str, str]) -> Facts:
    """Make one run of features out of all pull requests; do nothing where the latest run is of the same.

    Raises DataUnusableError where there is no pull request, or too many are unusable.
    """
    store, time_spent = open_object_store(settings), TimeSpent()
    with time_spent.on(LOOKING_OVER), open_pull_request_store(settings) as pull_requests:
        stored = look_over(pull_requests.content_hashes())
    if not stored.n_pull_requests:
        raise DataUnusableError("MongoDB holds no pull request, expected at least one; run data_fetch first, "
                                "and check SENTINEL_MONGODB_DATABASE")
    if is_up_to_date(store, stored.snapshot, feature_fingerprint()):
        return {"n_pull_requests": stored.n_pull_requests, "outcome": "nothing to do", "new": 0}
    run_id = new_run_id(datetime.now(UTC), latest_run_id(store))
    try:
        check_writable(store, run_id)
        summaries = fold_on_spark(settings, environment, stored, run_id, time_spent)
        rejected = count_rejected(summaries, stored, settings.max_rejected_share)
        reports = publish_quality(store, run_id, summaries)
        provenance = to_provenance(run_id, stored, summaries, sum(rejected.values()), reports)
        publish_provenance(store, provenance)
    except BaseException:
        delete_run(store, run_id, but=REPORT_NAMES)
        raise
    n_deleted = delete_old_runs(store, settings.kept_runs, datetime.now(UTC))
    return {**facts_of(provenance), "rejected": rejected, "runs_deleted": n_deleted,
            "seconds_by_part": add_up(time_spent, summaries)}


def fold_on_spark(settings: SparkPreprocessSettings, environment: MutableMapping[str, str], stored: StoredInput,
                  run_id: str, time_spent: TimeSpent) -> list[Summary]:
    """Return what the executors wrote under `run_id`; what Spark's start took is added to `time_spent`."""
    from spark_preprocess.events_to_features import write_features  # a run with nothing to do goes without Spark
    from spark_preprocess.session import run_on_spark

    began = time.perf_counter()

    def work(session: "SparkSession") -> list[Summary]:
        time_spent.seconds[STARTING] = time.perf_counter() - began
        return write_features(session, settings, stored, run_id)

    return run_on_spark(settings, environment, work)


def add_up(time_spent: TimeSpent, summaries: list[Summary]) -> dict[str, float]:
    """Return the seconds of every part of the work; those of tasks, which run side by side, are added up."""
    seconds = dict(time_spent.seconds)
    for summary in summaries:
        if summary.kind == SPENT:
            seconds[summary.name] = seconds.get(summary.name, 0.0) + summary.count / 1_000
    return {part: round(spent, 3) for part, spent in seconds.items()}


def publish_quality(store: ObjectStore, run_id: str, summaries: list[Summary]) -> dict[str, str]:
    """Publish the report of quality; return its files with their sha256. Raises DataUnusableError where it is bad."""
    from spark_preprocess.quality import check_quality, stop_where_hard  # pandera takes a second to import
    from spark_preprocess.quality_page import to_html

    features = [features_of_json(one.counts) for one in summaries if one.kind == "part" and one.counts]
    repositories = [repository_of_json(one.counts) for one in summaries if one.kind == "repository" and one.counts]
    report = check_quality(run_id, features, repositories)
    files = {}
    for name, content in zip(REPORT_NAMES, (report.to_json(), to_html(report).encode()), strict=True):
        stored_name = f"{FEATURES}/{run_id}/{name}"
        store.put_bytes(stored_name, content)
        files[stored_name] = hashlib.sha256(content).hexdigest()
    stop_where_hard(report, f"{store.uri}/{FEATURES}/{run_id}/{REPORT_NAMES[-1]}")
    return files


def check_writable(store: ObjectStore, run_id: str) -> None:
    """Write and delete a file, so that a store that takes none is known before Spark starts."""
    name = f"{FEATURES}/{run_id}/begun"
    store.put_bytes(name, b"")
    store.delete(name)


def new_run_id(now: datetime, latest: str | None) -> str:
    """Return a name that no other run has, and that sorts by time: after `latest`, though the clock was set back."""
    begun = None if latest is None else begun_at(latest)
    at = now if begun is None else max(now, begun + timedelta(seconds=1))
    return f"{at:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"


def count_rejected(summaries: list[Summary], stored: StoredInput, most: float) -> dict[str, int]:
    """Count unusable documents by the field that was wrong; raises DataUnusableError above the share `most`."""
    rejected = {"_id": stored.misfiled} if stored.misfiled else {}
    for summary in summaries:
        if summary.kind == "rejected":
            rejected[summary.name] = rejected.get(summary.name, 0) + summary.count
    n_rejected, n_all = sum(rejected.values()), stored.n_pull_requests
    by_field = ", ".join(f"{field}: {count:,}" for field, count in sorted(rejected.items()))
    if n_rejected > most * n_all or n_rejected == n_all:
        raise DataUnusableError(
            f"{n_rejected:,} of {n_all:,} stored pull requests cannot be used ({by_field}), expected at most "
            f"{most:.0%} (SENTINEL_MAX_REJECTED_SHARE); fetch them again with data_fetch --full; "
            "the last good run stays in place")
    if rejected:
        get_logger().warning("spark_preprocess.documents_rejected", rejected=rejected, of=n_all)
    return rejected


def to_provenance(run_id: str, stored: StoredInput, summaries: list[Summary], n_rejected: int,
                  reports: Mapping[str, str]) -> Provenance:
    """Put the summaries of all tasks together."""
    parts = [summary for summary in summaries if summary.kind == "part"]
    repositories = sorted((summary for summary in summaries if summary.kind == "repository"), key=lambda one: one.name)
    files = {part.name: part.sha256 for part in parts} | {
        stored_history_name(run_id, one.name, one.sha256): one.sha256 for one in repositories if one.sha256} | reports
    return Provenance(
        run_id=run_id, made_at=datetime.now(UTC).isoformat(timespec="seconds"), code_version=sentinel.__version__,
        feature_fingerprint=feature_fingerprint(), feature_names=FEATURE_NAMES, input_snapshot=stored.snapshot,
        n_pull_requests=sum(part.count for part in parts), n_rejected=n_rejected,
        repositories={one.name: one.count for one in repositories},
        opened_from=min((part.opened_from for part in parts if part.opened_from), default=None),
        opened_until=max((part.opened_until for part in parts if part.opened_until), default=None),
        files={name: sha256 for name, sha256 in files.items() if sha256},
    )


def facts_of(provenance: Provenance) -> dict[str, Any]:
    """Return the facts of the closing line."""
    return {
        "outcome": "published", "run_id": provenance.run_id, "n_pull_requests": provenance.n_pull_requests,
        "new": provenance.n_pull_requests, "n_rejected": provenance.n_rejected,
        "n_repositories": len(provenance.repositories), "n_files": len(provenance.files),
        "feature_fingerprint": provenance.feature_fingerprint, "input_snapshot": provenance.input_snapshot[:16],
    }
