"""Which runs there are: the latest may be up to date, the oldest are deleted."""

from datetime import datetime, timedelta

import sentinel
from sentinel.errors import CorruptFileError, NotFoundError, SentinelError
from sentinel.logs import get_logger
from sentinel.object_store import ObjectStore
from sentinel.provenance import FEATURES, HISTORIES, PROVENANCE_FILE, begun_at, find_latest_run, read_provenance

ABANDONED_AFTER = timedelta(days=1)  # a run without provenance may be at work; none takes a day
# A model made of other features is served until the next one is trained and promoted; it needs its histories.
OTHER_FEATURES_KEPT = timedelta(days=30)


def is_up_to_date(store: ObjectStore, snapshot: str, fingerprint: str) -> bool:
    """Tell whether the latest run was made of this input by this code, and all its files are there."""
    try:
        latest = find_latest_run(store)
    except (NotFoundError, CorruptFileError):
        return False
    made_of = latest.input_snapshot, latest.feature_fingerprint, latest.code_version
    return made_of == (snapshot, fingerprint, sentinel.__version__) and \
        set(latest.files) <= set(names_of_run(store, latest.run_id))


def names_of_run(store: ObjectStore, run_id: str) -> list[str]:
    """List the files of one run, the provenance first, so that a deletion begins with what makes it count."""
    names = [*store.names(f"{FEATURES}/{run_id}/"), *store.names(f"{HISTORIES}/{run_id}/")]
    return sorted(names, key=lambda name: (not name.endswith(f"/{PROVENANCE_FILE}"), name))


def delete_run(store: ObjectStore, run_id: str, but: tuple[str, ...] = ()) -> None:
    """Delete the files of one run as far as the store allows; what stays does no harm without a provenance."""
    try:
        for name in names_of_run(store, run_id):
            if name.rpartition("/")[2] not in but:
                store.delete(name)
    except SentinelError as error:
        get_logger().warning("spark_preprocess.files_left", run_id=run_id, text=str(error))


def delete_old_runs(store: ObjectStore, kept: int, now: datetime) -> int:
    """Delete old runs, and what killed runs left behind; returns how many.

    What stays: the latest `kept` runs, and of every feature fingerprint the latest run of the last 30 days.
    """
    published, all_runs = set(), set()
    for name in (*store.names(f"{FEATURES}/"), *store.names(f"{HISTORIES}/")):
        _, run_id, file = name.split("/", 2)
        all_runs.add(run_id)
        if file == PROVENANCE_FILE:
            published.add(run_id)
    old = set(sorted(published)[:-kept])
    if old:
        old -= _latest_by_fingerprint(store, sorted(published), now)
    abandoned = {run_id for run_id in all_runs - published if _is_abandoned(run_id, now)}
    for run_id in sorted(old | abandoned):
        delete_run(store, run_id)
    return len(old | abandoned)


def _latest_by_fingerprint(store: ObjectStore, run_ids: list[str], now: datetime) -> set[str]:
    """Return the latest run of every fingerprint, but for those that no model should need any more."""
    latest = {}
    for run_id in run_ids:
        try:
            latest[read_provenance(store, run_id).feature_fingerprint] = run_id
        except (NotFoundError, CorruptFileError):
            continue  # no reader can use it
    return {run_id for run_id in latest.values() if now - (begun_at(run_id) or now) <= OTHER_FEATURES_KEPT}


def _is_abandoned(run_id: str, now: datetime) -> bool:
    at = begun_at(run_id)
    return at is not None and now - at > ABANDONED_AFTER
