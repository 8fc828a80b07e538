"""Measure the Spark stage: the whole process, and where its time goes.

    python benchmarks/spark_stage.py FILE.jsonl.gz [--copies 1]
    python benchmarks/spark_stage.py --pull-requests 100000

FILE holds pull requests of one repository; copies of it under other names make larger inputs; without one, made-up
pull requests do. An embedded MongoDB server is filled first. The parts are measured alone in one process; what is
left of the stage's time is Spark's own.
"""

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from operator import itemgetter
from pathlib import Path

from believable import filled_mongo
from sentinel.command.data_folder import DataFolder
from sentinel.command.embedded_mongo import embedded_mongo
from sentinel.history import RepositoryHistory
from sentinel.mongo import open_pull_request_store
from sentinel.pull_request import PullRequestRecord, parse_json_line, parse_pull_request
from sentinel.settings import MongoSettings
from sentinel.sources.page import Page
from spark_preprocess.fold import FeatureRow, StoredEvent, fold_repository
from spark_preprocess.mongo_partitions import NumberRange, look_over, read_partition
from spark_preprocess.publish import PartWriter
from spark_preprocess.time_spent import TimeSpent

PAGE = 500


def main() -> None:
    """Print one line a part, and the whole."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, nargs="?")
    parser.add_argument("--pull-requests", type=int, default=10_000, help="how many to make up where there is no FILE")
    parser.add_argument("--copies", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sentinel-benchmark-") as name:
        if arguments.file is None:
            with filled_mongo(Path(name), arguments.pull_requests) as settings:
                return measure(settings, Path(name))
        data = DataFolder(Path(name))
        data.logs.mkdir(parents=True)
        with embedded_mongo(data, os.environ) as uri:
            settings = MongoSettings(mongodb_uri=uri)
            fill(settings, arguments.file, arguments.copies)
            measure(settings, Path(name))


def fill(settings: MongoSettings, file: Path, copies: int) -> None:
    """Store the pull requests of `file`, once a copy."""
    with gzip.open(file) as lines:
        records = [parse_pull_request(parse_json_line(line)) for line in lines]
    with open_pull_request_store(settings) as store:
        store.prepare()
        for copy in range(copies):
            for start in range(0, len(records), PAGE):
                store.save_page(Page("", tuple(renamed(record, copy) for record in records[start:start + PAGE])))


def renamed(record: PullRequestRecord, copy: int) -> PullRequestRecord:
    """Return the record as one of another repository."""
    name = f"{record.pull_request.repository}-{copy}"
    return replace(record, pull_request=replace(record.pull_request, repository=name))


def measure(settings: MongoSettings, folder: Path) -> None:
    """Run the stage, run it again with nothing new, and measure its parts alone."""
    seconds: dict[str, float] = {}
    with timed(seconds, "snapshot"), open_pull_request_store(settings) as store:
        stored = look_over(store.content_hashes())
    events, rows = [], []
    with timed(seconds, "MongoDB and parsing"):
        for repository, numbers in stored.numbers.items():
            wanted = NumberRange(repository, numbers[0], numbers[-1], len(numbers))
            events += list(read_partition(settings, (wanted,), {repository: 0}))
    events.sort(key=itemgetter(1, 2, 3, 4))
    with timed(seconds, "fold"):
        rows = list(fold(events))
    with timed(seconds, "parquet"):
        write(rows, folder / "part.parquet")
    whole, started = run_stage(settings, folder)
    again, _ = run_stage(settings, folder)
    seconds = {"imports and Spark's start": started - seconds["snapshot"], **seconds}
    seconds["Spark's moves, and waiting"] = max(0.0, whole - sum(seconds.values()))
    for part, spent in seconds.items():
        print(f"{part:28}{spent:8.2f} s{100 * spent / whole:6.0f} %")
    print(f"{'whole process':28}{whole:8.2f} s   {len(rows) / whole:,.0f} pull requests/s of {len(rows):,}")
    print(f"{'again, nothing new':28}{again:8.2f} s")


def fold(events: list[tuple[int, str, str, int, int, str, bytes]]) -> Iterator[FeatureRow]:
    """Fold all repositories, as a lane does."""
    history = RepositoryHistory("")
    waiting: list[StoredEvent] = []
    for _, repository, at, _, number, kind, content in events:
        if repository != history.repository:
            yield from fold_repository(history, waiting)
            history, waiting = RepositoryHistory(repository), []
        waiting.append(StoredEvent(repository, at, number, kind, content))
    yield from fold_repository(history, waiting)


def write(rows: list[FeatureRow], path: Path) -> None:
    """Write all rows to one part, which stays where it is."""
    part = PartWriter(path, TimeSpent())
    for row in rows:
        part.add(row)
    part.close()


def run_stage(settings: MongoSettings, folder: Path) -> tuple[float, float]:
    """Run the stage; return the seconds of the whole process, and until Spark was ready."""
    environment = {**os.environ, "MONGODB_URI": settings.mongodb_uri.get_secret_value(),
                   "SENTINEL_OBJECT_STORE_URI": f"file://{folder}/store"}
    began_at, began = datetime.now().astimezone(), time.perf_counter()
    ended = subprocess.run([sys.executable, "-m", "spark_preprocess"], env=environment, stdout=subprocess.PIPE,
                           check=True)
    whole = time.perf_counter() - began
    for event in map(json.loads, ended.stdout.splitlines()):
        if event["event"] == "spark_preprocess.spark_started":
            return whole, (datetime.fromisoformat(event["timestamp"]) - began_at).total_seconds()
    return whole, 0.0


@contextmanager
def timed(seconds: dict[str, float], part: str) -> Iterator[None]:
    """Keep how long the block took."""
    began = time.perf_counter()
    yield
    seconds[part] = time.perf_counter() - began


if __name__ == "__main__":
    main()
