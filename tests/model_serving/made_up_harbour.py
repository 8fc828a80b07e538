"""Two made-up repositories, folded and published as spark_preprocess does it, in one process."""

import io
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pyarrow
import pyarrow.parquet

from sentinel.features import FEATURE_NAMES, feature_fingerprint
from sentinel.history import RepositoryHistory, events_of
from sentinel.object_store import ObjectStore
from sentinel.provenance import Provenance, part_name, publish_provenance, stored_history_name
from sentinel.pull_request import PullRequestRecord, parse_pull_request

HARBOUR, PIER = "octo/harbour", "octo/pier"
N_PULL_REQUESTS = {HARBOUR: 120, PIER: 70}
ODD_NUMBER = 120  # the last of the harbour: a stranger changes the build at night
HOSTILE_TITLE = "<script>alert(1)</script> \u202egnp.exe\x07 \"' & {{ 7 * 7 }}"
RUN_ID = "20260701T000000Z-00000001"


def pull_request_json(number: int = 900, repository: str = HARBOUR, **changes: Any) -> dict[str, Any]:
    """Return one pull request in GitHub's REST shape."""
    files = [{"filename": f"src/quay_{number % 7}.py", "status": "modified", "additions": 4 + number % 9,
              "deletions": number % 3}]
    return {
        "number": number, "title": f"Mend quay {number % 7}", "body": None,
        "user": {"login": ("anna", "bert", "carla")[number % 3], "type": "User"},
        "created_at": (datetime(2026, 1, 1, 9, tzinfo=UTC) + timedelta(hours=17 * number)).isoformat(),
        "base": {"ref": "main", "repo": {"full_name": repository}}, "head": {"ref": f"quay-{number}", "repo": None},
        "commits": 1, "files": files, "changed_files": 1,
        "additions": files[0]["additions"], "deletions": files[0]["deletions"],
    } | changes


def odd_pull_request_json(number: int = ODD_NUMBER) -> dict[str, Any]:
    """Return one that nothing of the harbour's past resembles, by a hostile stranger."""
    files = [{"filename": name, "status": "added", "additions": 4_000, "deletions": 900}
             for name in (".github/workflows/release.yml", "vendor/blob.min.js", "Makefile", "deploy/key.sh")]
    return pull_request_json(number, title=HOSTILE_TITLE, user={"login": "<b>mallory</b>", "type": "User"},
                             files=files, changed_files=4, additions=16_000, deletions=3_600, commits=40)


def publish_harbour(store: ObjectStore, run_id: str = RUN_ID) -> Provenance:
    """Publish features and histories of both repositories, and their provenance last."""
    files, rows = {}, []
    for repository, count in N_PULL_REQUESTS.items():
        history, folded = fold([_record(number, repository) for number in range(1, count + 1)], repository)
        content = history.to_bytes()
        name = stored_history_name(run_id, repository, sha256(content).hexdigest())
        store.put_bytes(name, content)
        files[name] = sha256(content).hexdigest()
        rows += folded
    content = _parquet(rows)
    name = part_name(run_id, sha256(content).hexdigest())
    store.put_bytes(name, content)
    files[name] = sha256(content).hexdigest()
    provenance = Provenance(
        run_id=run_id, made_at="2026-07-01T00:00:00Z", code_version="test", feature_fingerprint=feature_fingerprint(),
        feature_names=FEATURE_NAMES, input_snapshot="made up", n_pull_requests=len(rows), n_rejected=0,
        repositories=N_PULL_REQUESTS, opened_from=None, opened_until="2026-04-01T00:00:00+00:00", files=files,
    )
    publish_provenance(store, provenance)
    return provenance


def fold(records: list[PullRequestRecord], repository: str) -> tuple[RepositoryHistory, list[dict[str, Any]]]:
    """Return the history after all records, and one row of features for each as it was opened."""
    history, rows = RepositoryHistory(repository), []
    events = sorted((event for record in records for event in events_of(record)), key=lambda event: event.sort_key)
    for event in events:
        if event.kind == "opened":
            rows.append(_row(history, event.pull_request))
        history.observe(event)
    return history, rows


def _record(number: int, repository: str) -> PullRequestRecord:
    is_odd = repository == HARBOUR and number == ODD_NUMBER
    payload = odd_pull_request_json() if is_odd else pull_request_json(number, repository)
    merged_at = datetime.fromisoformat(payload["created_at"]) + timedelta(hours=5)
    return parse_pull_request(payload | {"merged_at": merged_at.isoformat()})


def _row(history: RepositoryHistory, pull_request: Any) -> dict[str, Any]:
    facts = {name: getattr(pull_request, name) for name in
             ("repository", "number", "title", "author", "author_kind", "opened_at", "additions", "deletions",
              "changed_files")}
    return facts | {"warm_up": not history.is_warm} | dict(zip(FEATURE_NAMES, history.features(pull_request)))


def _parquet(rows: list[dict[str, Any]]) -> bytes:
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), buffer)
    return buffer.getvalue()
