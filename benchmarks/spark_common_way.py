"""The common way, to compare with: a DataFrame of the pull requests, `collect()`, a loop in the driver, pandas.

The rows come from MongoDB by tasks side by side, as typed columns, which spares the common way a connector's work.
What follows is what people write: order by time, collect, turn every row into a dict, keep a history for each
repository, append to a list, make a pandas DataFrame of it, write parquet.
"""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow
from pyspark.sql import Row, SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

from sentinel.features import FEATURE_NAMES
from sentinel.history import RepositoryHistory, events_of
from sentinel.logs import configure_logs
from sentinel.mongo import open_pull_request_store
from sentinel.pull_request import parse_pull_request
from sentinel.settings import load_settings
from spark_preprocess.mongo_partitions import Partition, look_over, plan_partitions
from spark_preprocess.session import run_on_spark
from spark_preprocess.settings import SparkPreprocessSettings

TEXT, NUMBER = pyarrow.string(), pyarrow.int64()
FILE = pyarrow.struct([("filename", TEXT), ("status", TEXT), ("additions", NUMBER), ("deletions", NUMBER),
                       ("patch", TEXT)])
REPOSITORY = pyarrow.struct([("full_name", TEXT)])
ROWS_AT_ONCE = 500
SCHEMA = pyarrow.schema([
    *((name, TEXT) for name in ("title", "body", "created_at", "updated_at", "merged_at", "closed_at")),
    *((name, NUMBER) for name in ("number", "commits", "additions", "deletions", "changed_files")),
    ("user", pyarrow.struct([("login", TEXT), ("type", TEXT)])),
    ("base", pyarrow.struct([("ref", TEXT), ("repo", REPOSITORY)])),
    ("head", pyarrow.struct([("ref", TEXT), ("sha", TEXT), ("repo", REPOSITORY)])),
    ("files", pyarrow.list_(FILE)),
])


def main() -> None:
    """Read, collect, loop, write."""
    configure_logs("spark_preprocess")
    settings = load_settings(SparkPreprocessSettings, spark_driver_memory="6g",
                             spark_configuration={"spark.driver.maxResultSize": "0"})
    with open_pull_request_store(settings) as store:
        numbers = look_over(store.content_hashes()).numbers
    partitions = plan_partitions(numbers, settings.pull_requests_per_partition)
    rows = run_on_spark(settings, os.environ, lambda session: collect(session, settings, partitions))
    with tempfile.TemporaryDirectory() as folder:
        pd.DataFrame(loop(rows)).to_parquet(Path(folder, "features.parquet"))


def collect(session: SparkSession, settings: SparkPreprocessSettings, partitions: list[Partition]) -> list[Row]:
    """Return all pull requests in order of opening."""
    def read(batches: Iterator[pyarrow.RecordBatch]) -> Iterator[pyarrow.RecordBatch]:
        with open_pull_request_store(settings) as store:
            for place in (place for batch in batches for place in batch.column(0).to_pylist()):
                for wanted in partitions[place]:
                    documents = list(store.read_numbers(wanted.repository, wanted.first, wanted.last))
                    for first in range(0, len(documents), ROWS_AT_ONCE):
                        yield pyarrow.RecordBatch.from_pylist(documents[first:first + ROWS_AT_ONCE], schema=SCHEMA)

    places = session.range(0, len(partitions), 1, len(partitions))
    return places.mapInArrow(read, from_arrow_schema(SCHEMA)).orderBy("created_at").collect()


def loop(rows: list[Row]) -> list[dict[str, Any]]:
    """Return one dict of features for every pull request."""
    histories: dict[str, RepositoryHistory] = {}
    vectors = []
    events = [event for row in rows for event in events_of(parse_pull_request(row.asDict(recursive=True)))]
    for event in sorted(events, key=lambda event: event.sort_key):
        opened = event.pull_request
        history = histories.setdefault(opened.repository, RepositoryHistory(opened.repository))
        if event.kind == "opened":
            named = dict(zip(FEATURE_NAMES, history.features(opened), strict=True))
            vectors.append({"repository": opened.repository, "number": opened.number, "title": opened.title,
                            "opened_at": opened.opened_at, **named})
        history.observe(event)
    return vectors


if __name__ == "__main__":
    main()
