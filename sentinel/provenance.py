"""The side file of a dataset: what it was made of, by which code; written last.

A run of features without its provenance does not exist for any reader.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from sentinel.errors import CorruptFileError, NotFoundError
from sentinel.object_store import ObjectStore

FEATURES, HISTORIES = "features", "histories"
PROVENANCE_FILE = "provenance.json"
# What GitHub allows; other names come from `git:` and `jsonl:` sources.
_PLAIN_OWNER, _PLAIN_NAME = re.compile(r"[A-Za-z0-9-]{1,64}"), re.compile(r"[A-Za-z0-9._-]{1,128}")
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9._-]")


@dataclass(frozen=True, slots=True)
class Provenance:
    """What one run of spark_preprocess made: `features/RUN_ID/part-*.parquet` and `histories/RUN_ID/*`."""

    run_id: str  # sorts by time: "20261122T113000Z-1a2b3c4d"
    made_at: str
    code_version: str
    feature_fingerprint: str
    feature_names: tuple[str, ...]
    input_snapshot: str  # hash of the ids and contents of all pull requests read
    n_pull_requests: int
    n_rejected: int
    repositories: Mapping[str, int]  # pull requests by repository
    opened_from: str | None
    opened_until: str | None
    files: Mapping[str, str]  # sha256 by name in the object store: parquet, histories, and the report of quality

    @property
    def parts(self) -> list[str]:
        """Return the names of the parquet files."""
        return sorted(name for name in self.files if name.startswith(f"{FEATURES}/") and name.endswith(".parquet"))

    def history_name(self, repository: str) -> str:
        """Return the name under which the history of `repository` is stored."""
        plain = f"{HISTORIES}/{self.run_id}/{file_stem(repository)}"
        return next((name for name in self.files if name.startswith(f"{plain}@")), f"{plain}.history")


def part_name(run_id: str, sha256: str) -> str:
    """Return the name of a part of the features, told from others by the hash of its content."""
    return f"{FEATURES}/{run_id}/part-{sha256[:16]}.parquet"


def stored_history_name(run_id: str, repository: str, sha256: str) -> str:
    """Return the name of a history: a task that runs twice never writes other content under the same name."""
    return f"{HISTORIES}/{run_id}/{file_stem(repository)}@{sha256[:16]}.history"


def file_stem(repository: str) -> str:
    """Return OWNER__NAME; two repositories never get the same one, and every file system takes it."""
    owner, _, name = repository.partition("/")
    if _PLAIN_OWNER.fullmatch(owner) and _PLAIN_NAME.fullmatch(name):
        return f"{owner}__{name}"
    told_apart = hashlib.sha256(repository.encode()).hexdigest()[:16]
    return f"{_NOT_PLAIN.sub('-', repository)[:100]}~{told_apart}"


def begun_at(run_id: str) -> datetime | None:
    """Return when a run began, as its name tells, or None where it is no name of ours."""
    try:
        return datetime.strptime(run_id.partition("-")[0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None


def publish_provenance(store: ObjectStore, provenance: Provenance) -> None:
    """Write the provenance, which makes the run visible."""
    content = orjson.dumps(asdict(provenance), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)
    store.put_bytes(_name(provenance.run_id), content)


def read_provenance(store: ObjectStore, run_id: str) -> Provenance:
    """Read the provenance of one run; raises NotFoundError or CorruptFileError."""
    name = _name(run_id)
    try:
        fields: dict[str, Any] = orjson.loads(store.get_bytes(name))
        fields["feature_names"] = tuple(fields["feature_names"])
        return Provenance(**fields)
    except (orjson.JSONDecodeError, TypeError, KeyError) as error:
        raise CorruptFileError(f"{store.uri}/{name}: no provenance of this version ({error}); "
                               "run spark_preprocess again") from error


def latest_run_id(store: ObjectStore) -> str | None:
    """Return the name of the newest run, or None where there is none."""
    names = (name for name in store.names(f"{FEATURES}/") if name.endswith(f"/{PROVENANCE_FILE}"))
    latest = max(names, default=None)
    return None if latest is None else latest.split("/")[1]


def find_latest_run(store: ObjectStore) -> Provenance:
    """Read the provenance of the newest run; raises NotFoundError where there is none."""
    run_id = latest_run_id(store)
    if run_id is None:
        raise NotFoundError(f"{store.uri}: no features with a {PROVENANCE_FILE} yet; run spark_preprocess first")
    return read_provenance(store, run_id)


def _name(run_id: str) -> str:
    return f"{FEATURES}/{run_id}/{PROVENANCE_FILE}"
