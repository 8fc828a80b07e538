"""The common way, to compare with: Spark reads, everything is collected, a loop in the driver does the work."""

import os
import tempfile
from collections.abc import Iterator
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from pyspark.sql import Row, SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

from sentinel.history import RepositoryHistory
from sentinel.logs import configure_logs
from sentinel.mongo import open_pull_request_store
from sentinel.settings import load_settings
from spark_preprocess.fold import FeatureRow, StoredEvent, fold_repository
from spark_preprocess.mongo_partitions import EVENT_SCHEMA, StoredInput, look_over, make_reader, plan_partitions
from spark_preprocess.publish import PartWriter
from spark_preprocess.session import run_on_spark
from spark_preprocess.settings import SparkPreprocessSettings
from spark_preprocess.time_spent import TimeSpent

FIELDS = ("repository", "at", "number", "kind", "content")


def main() -> None:
    """Read, collect, loop, write."""
    configure_logs("spark_preprocess")
    settings = load_settings(SparkPreprocessSettings, spark_driver_memory="6g",
                             spark_configuration={"spark.driver.maxResultSize": "0"})
    with open_pull_request_store(settings) as store:
        stored = look_over(store.content_hashes())
    rows = run_on_spark(settings, os.environ, lambda session: collect(session, settings, stored))
    rows.sort(key=attrgetter("repository", "at", "rank", "number"))
    with tempfile.TemporaryDirectory() as folder:
        part = PartWriter(Path(folder, "part.parquet"), TimeSpent())
        for row in fold(rows):
            part.add(row)
        part.close()


def collect(session: SparkSession, settings: SparkPreprocessSettings, stored: StoredInput) -> list[Row]:
    """Return all events."""
    partitions = plan_partitions(stored.numbers, settings.pull_requests_per_partition)
    reader = make_reader(settings, partitions, dict.fromkeys(stored.numbers, 0))
    places = session.range(0, len(partitions), 1, len(partitions))
    return places.mapInArrow(reader, from_arrow_schema(EVENT_SCHEMA)).collect()


def fold(rows: list[Row]) -> Iterator[FeatureRow]:
    """Fold one repository after the other."""
    for repository, events in groupby(rows, attrgetter("repository")):
        yield from fold_repository(RepositoryHistory(repository), (
            StoredEvent(*(bytes(row[name]) if name == "content" else row[name] for name in FIELDS))
            for row in events))


if __name__ == "__main__":
    main()
