"""The pull requests of MongoDB as partitions that Spark's tasks read side by side."""

import hashlib
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import orjson
import pyarrow

from sentinel.errors import RecordError
from sentinel.history import events_of
from sentinel.mongo import Document, open_pull_request_store, to_payload
from sentinel.pull_request import parse_pull_request
from sentinel.settings import MongoSettings
from spark_preprocess.time_spent import READING, SPENT, TimeSpent

BATCH_BYTES = 4 * 2**20
REJECTED = "rejected"  # the kind of a row that holds the reason in the place of a pull request
EVENT_SCHEMA = pyarrow.schema([
    ("lane", pyarrow.int32()), ("repository", pyarrow.string()), ("at", pyarrow.string()), ("rank", pyarrow.int32()),
    ("number", pyarrow.int64()), ("kind", pyarrow.string()), ("content", pyarrow.binary()),
])
_SNAPSHOT_BITS = 256

EventRow = tuple[int, str, str, int, int, str, bytes]


@dataclass(frozen=True, slots=True)
class NumberRange:
    """The pull requests of `repository` from number `first` to `last`, `count` of them."""

    repository: str
    first: int
    last: int
    count: int


Partition = tuple[NumberRange, ...]


@dataclass(frozen=True, slots=True)
class StoredInput:
    """What MongoDB holds, as one look over ids and hashes tells."""

    snapshot: str  # equal for equal contents, whatever their order
    n_pull_requests: int
    numbers: Mapping[str, "array[int]"]  # by repository, sorted
    misfiled: int  # documents without a repository and number to find them by


def look_over(content_hashes: Iterable[tuple[str, str, str]]) -> StoredInput:
    """Read (repository, _id, content hash) once, in any order; 8 bytes a pull request are kept."""
    total, count, misfiled = 0, 0, 0
    numbers: dict[str, "array[int]"] = {}
    for repository, key, content_hash in content_hashes:
        count += 1
        total += int.from_bytes(hashlib.sha256(f"{key} {content_hash}".encode()).digest())
        number = str(key).removeprefix(f"{repository}#")
        if number.isdecimal() and number.isascii() and len(number) < 19:
            numbers.setdefault(repository, array("q")).append(int(number))
        else:
            misfiled += 1
    snapshot = f"{total % 2**_SNAPSHOT_BITS:064x}"
    return StoredInput(snapshot, count, {name: array("q", sorted(found)) for name, found in sorted(numbers.items())},
                       misfiled)


def plan_partitions(numbers: Mapping[str, "array[int]"], most: int) -> list[Partition]:
    """Cut large repositories into ranges of numbers, and put small ones together, up to `most` pull requests."""
    partitions: list[Partition] = []
    filling: list[NumberRange] = []
    for repository, found in numbers.items():
        for start in range(0, len(found), most):
            piece = found[start:start + most]
            if sum(one.count for one in filling) + len(piece) > most:
                partitions.append(tuple(filling))
                filling = []
            filling.append(NumberRange(repository, piece[0], piece[-1], len(piece)))
    return [*partitions, tuple(filling)] if filling else partitions


def assign_lanes(counts: Mapping[str, int], n_lanes: int) -> dict[str, int]:
    """Give every repository a lane, largest first to the emptiest, so that tasks end at about the same time."""
    filled = [0] * n_lanes
    lanes = {}
    for repository in sorted(counts, key=lambda name: (-counts[name], name)):
        lane = filled.index(min(filled))
        lanes[repository] = lane
        filled[lane] += counts[repository]
    return lanes


def make_reader(settings: MongoSettings, partitions: list[Partition], lanes: Mapping[str, int],
                ) -> Callable[[Iterator[pyarrow.RecordBatch]], Iterator[pyarrow.RecordBatch]]:
    """Return the map from batches of partition ids to batches of event rows, as executors run it."""
    def read(batches: Iterator[pyarrow.RecordBatch]) -> Iterator[pyarrow.RecordBatch]:
        for batch in batches:
            for place in batch.column(0).to_pylist():
                time_spent = TimeSpent()
                rows = _to_batches(read_partition(settings, partitions[place], lanes))
                yield from time_spent.on_each(READING, rows)
                yield _to_batch([_spent(partitions[place], lanes, time_spent)])
    return read


def read_partition(settings: MongoSettings, partition: Partition, lanes: Mapping[str, int]) -> Iterator[EventRow]:
    """Yield the events of the pull requests of one partition; one row per event, or one with the reason."""
    with open_pull_request_store(settings) as store:
        for wanted in partition:
            lane, seen = lanes[wanted.repository], 0
            for document in store.read_numbers(wanted.repository, wanted.first, wanted.last):
                seen += 1
                yield from to_event_rows(document, wanted.repository, lane)
            for _ in range(wanted.count - seen):
                yield _rejected(lane, wanted.repository, "number: not the one its key says, or deleted while reading")


def to_event_rows(document: Document, repository: str, lane: int) -> Iterator[EventRow]:
    """Yield one row per event of a stored document; times are ISO text of one width, which sorts as time does."""
    payload = to_payload(document)
    try:
        record = parse_pull_request(payload)
        if record.pull_request.repository != repository:
            raise RecordError("repository: not the one it is stored under")
        content = orjson.dumps(payload)
    except (RecordError, orjson.JSONEncodeError) as error:
        yield _rejected(lane, repository, str(error))
        return
    for event in events_of(record):
        at, rank, number = event.sort_key
        yield lane, repository, at.isoformat(timespec="microseconds"), rank, number, event.kind, content


def _spent(partition: Partition, lanes: Mapping[str, int], time_spent: TimeSpent) -> EventRow:
    """Return a row that tells where the time went; it travels with the events of the first repository."""
    repository = partition[0].repository
    return lanes[repository], repository, "", 0, 0, SPENT, orjson.dumps(dict(time_spent.milliseconds()))


def _rejected(lane: int, repository: str, reason: str) -> EventRow:
    return lane, repository, "", 0, 0, REJECTED, reason.encode()


def _to_batches(rows: Iterable[EventRow]) -> Iterator[pyarrow.RecordBatch]:
    """Put rows together up to some megabytes."""
    waiting: list[EventRow] = []
    size = 0
    for row in rows:
        waiting.append(row)
        size += len(row[-1]) + 100
        if size >= BATCH_BYTES:
            yield _to_batch(waiting)
            waiting, size = [], 0
    if waiting:
        yield _to_batch(waiting)


def _to_batch(rows: list[EventRow]) -> pyarrow.RecordBatch:
    columns = [pyarrow.array(column, kind.type) for column, kind in zip(zip(*rows), EVENT_SCHEMA)]
    return pyarrow.record_batch(columns, schema=EVENT_SCHEMA)
