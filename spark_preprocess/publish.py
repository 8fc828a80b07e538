"""What executors write: parquet parts and histories, straight to the object store, and a summary of each."""

import hashlib
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow
import pyarrow.parquet

from sentinel.features import FEATURE_NAMES
from sentinel.history import RepositoryHistory
from sentinel.object_store import ObjectStore, open_object_store
from sentinel.provenance import begun_at, part_name, stored_history_name
from sentinel.settings import ObjectStoreSettings
from spark_preprocess.fold import FeatureRow, by_repository, fold_repository, only_events, read_rows
from spark_preprocess.quality_counts import FeatureCounts, RepositoryCounter, count_features, to_json
from spark_preprocess.time_spent import FOLDING, SPENT, WAITING, WRITING, TimeSpent

ROW_GROUP_ROWS = 16_384
SUMMARY_SCHEMA = pyarrow.schema([
    ("kind", pyarrow.string()), ("name", pyarrow.string()), ("count", pyarrow.int64()), ("sha256", pyarrow.string()),
    ("opened_from", pyarrow.string()), ("opened_until", pyarrow.string()), ("counts", pyarrow.string()),
])
FEATURE_SCHEMA = pyarrow.schema([
    ("repository", pyarrow.string()), ("number", pyarrow.int64()), ("title", pyarrow.string()),
    ("author", pyarrow.string()), ("author_kind", pyarrow.string()),
    ("opened_at", pyarrow.timestamp("us", tz="UTC")), ("additions", pyarrow.int64()), ("deletions", pyarrow.int64()),
    ("changed_files", pyarrow.int64()), ("warm_up", pyarrow.bool_()),
    *((name, pyarrow.float64()) for name in FEATURE_NAMES),
])


@dataclass(frozen=True, slots=True)
class Summary:
    """What a task tells the driver of one thing that it made."""

    kind: str  # "part", "repository", "rejected" or "spent"
    name: str  # of the file, of the repository, of the field that was wrong, or of the part of the work
    count: int  # of pull requests, or milliseconds
    sha256: str | None = None
    opened_from: str | None = None
    opened_until: str | None = None
    counts: str | None = None  # of the quality, as JSON: FeatureCounts of a part, RepositoryCounts of a repository


def make_fold(settings: ObjectStoreSettings, run_id: str,
              ) -> Callable[[Iterator[pyarrow.RecordBatch]], Iterator[pyarrow.RecordBatch]]:
    """Return the map from sorted batches of event rows to batches of summaries, as executors run it.

    The names of the files carry the hash of their content: a task that is retried, or runs twice, writes the same
    file again or another one, and only files that a summary names enter the provenance.
    """
    def fold(batches: Iterator[pyarrow.RecordBatch]) -> Iterator[pyarrow.RecordBatch]:
        summaries = list(fold_partition(batches, open_object_store(settings), run_id))
        if summaries:
            yield _to_batch(summaries)
    return fold


def fold_partition(batches: Iterable[pyarrow.RecordBatch], store: ObjectStore, run_id: str) -> Iterator[Summary]:
    """Fold all repositories of one partition; write one part and a history each."""
    reasons, milliseconds, time_spent = Counter[str](), Counter[str](), TimeSpent()
    now = begun_at(run_id) or datetime.now(UTC)
    with time_spent.on(FOLDING), tempfile.TemporaryDirectory(prefix="sentinel-part-") as folder:
        part = PartWriter(Path(folder, "part.parquet"), time_spent)
        events = only_events(read_rows(time_spent.on_each(WAITING, batches)), reasons, milliseconds)
        for repository, rows in by_repository(events):
            history, counter = RepositoryHistory(repository), RepositoryCounter(repository, now)
            for row in fold_repository(history, rows):
                part.add(row)
                counter.add(row.pull_request)
            with time_spent.on(WRITING):
                summary = _publish_history(store, run_id, history, counter)
            yield summary
        yield from part.publish(store, run_id)
    time_spent.seconds[FOLDING] -= time_spent.seconds[WAITING] + time_spent.seconds[WRITING]
    milliseconds.update(dict(time_spent.milliseconds()))
    yield from (Summary("rejected", field, count) for field, count in reasons.items())
    yield from (Summary(SPENT, name, count) for name, count in milliseconds.items())


class PartWriter:
    """One parquet file, written group by group; at most one group of rows is in memory."""

    def __init__(self, path: Path, time_spent: TimeSpent) -> None:
        """Write to `path`; nothing is written before the first group is full."""
        self.n_rows = 0
        self._path = path
        self._time_spent = time_spent
        self._rows: list[FeatureRow] = []
        self._opened: list[datetime] = []
        self._counts: FeatureCounts | None = None
        self._writer: pyarrow.parquet.ParquetWriter | None = None

    def add(self, row: FeatureRow) -> None:
        """Add one row."""
        self._rows.append(row)
        self.n_rows += 1
        if len(self._rows) >= ROW_GROUP_ROWS:
            self._write_group()

    def publish(self, store: ObjectStore, run_id: str) -> Iterator[Summary]:
        """End the file and publish it; no file where there was no row."""
        self.close()
        if not self.n_rows:
            return
        with self._time_spent.on(WRITING):
            with self._path.open("rb") as written:
                sha256 = hashlib.file_digest(written, "sha256").hexdigest()
            name = part_name(run_id, sha256)
            store.put_file(name, self._path)
        yield Summary("part", name, self.n_rows, sha256, *(at.isoformat() for at in self._opened),
                      counts=None if self._counts is None else to_json(self._counts))

    def close(self) -> None:
        """Write what waits, and end the file."""
        if self._rows:
            self._write_group()
        if self._writer is not None:
            with self._time_spent.on(WRITING):
                self._writer.close()

    def _write_group(self) -> None:
        if self._writer is None:
            self._writer = pyarrow.parquet.ParquetWriter(self._path, FEATURE_SCHEMA, compression="zstd")
        with self._time_spent.on(WRITING):
            self._writer.write_table(to_table(self._rows))
        counts = count_features(row.features for row in self._rows)
        self._counts = counts if self._counts is None else self._counts + counts
        times = [*self._opened, *(row.pull_request.opened_at for row in self._rows)]
        self._opened = [min(times), max(times)]
        self._rows = []


def to_table(rows: list[FeatureRow]) -> pyarrow.Table:
    """Return rows as a table of FEATURE_SCHEMA."""
    opened = [row.pull_request for row in rows]
    columns: list[Iterable[object]] = [
        [getattr(pull_request, name) for pull_request in opened] for name in FEATURE_SCHEMA.names[:9]]
    columns.append([row.is_warm_up for row in rows])
    columns.extend(zip(*(row.features for row in rows)))
    arrays = [pyarrow.array(column, field.type) for column, field in zip(columns, FEATURE_SCHEMA, strict=True)]
    return pyarrow.Table.from_arrays(arrays, schema=FEATURE_SCHEMA)


def _publish_history(store: ObjectStore, run_id: str, history: RepositoryHistory, counter: RepositoryCounter,
                     ) -> Summary:
    content = history.to_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    store.put_bytes(stored_history_name(run_id, history.repository, sha256), content)
    counts = counter.counts()
    return Summary("repository", history.repository, counts.n_rows, sha256, counts=to_json(counts))


def _to_batch(summaries: list[Summary]) -> pyarrow.RecordBatch:
    return pyarrow.RecordBatch.from_pylist([asdict(summary) for summary in summaries], schema=SUMMARY_SCHEMA)
