"""The one Spark job: read events in partitions, bring every repository together in order of time, fold."""

from collections.abc import Mapping

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

from spark_preprocess.mongo_partitions import EVENT_SCHEMA, StoredInput, assign_lanes, make_reader, plan_partitions
from spark_preprocess.publish import SUMMARY_SCHEMA, Summary, make_fold
from spark_preprocess.settings import SparkPreprocessSettings
from spark_preprocess.task_progress import reported_progress

LANES_PER_CORE = 2  # so that cores that end early take another
MOST_PER_LANE = 20_000  # pull requests, where the repositories allow it; a cluster's cores are not known at the start


def write_features(session: SparkSession, settings: SparkPreprocessSettings, stored: StoredInput, run_id: str,
                   ) -> list[Summary]:
    """Fold all repositories on the executors; only summaries of what they wrote come back."""
    counts = {repository: len(numbers) for repository, numbers in stored.numbers.items()}
    n_lanes = choose_lanes(counts, session.sparkContext.defaultParallelism)
    partitions = plan_partitions(stored.numbers, settings.pull_requests_per_partition)
    places = session.range(0, len(partitions), 1, len(partitions))
    events = places.mapInArrow(make_reader(settings, partitions, assign_lanes(counts, n_lanes)),
                               from_arrow_schema(EVENT_SCHEMA))
    summaries = sort_events(events, n_lanes).mapInArrow(make_fold(settings, run_id), from_arrow_schema(SUMMARY_SCHEMA))
    with reported_progress(session.sparkContext, len(partitions) + n_lanes, stored.n_pull_requests):
        return [Summary(**row.asDict()) for row in summaries.collect()]


def choose_lanes(counts: Mapping[str, int], n_cores: int) -> int:
    """Return how many tasks fold: some a core, more where there is much, never more than repositories."""
    return min(len(counts), max(LANES_PER_CORE * n_cores, sum(counts.values()) // MOST_PER_LANE))


def sort_events(events: DataFrame, n_lanes: int) -> DataFrame:
    """Bring the events of each repository together, in order of time."""
    return (events.select("lane", "repository", "at", "rank", "number", "kind", "content")
            .repartitionById(n_lanes, "lane")
            .sortWithinPartitions("repository", "at", "rank", "number")
            .select("repository", "at", "number", "kind", "content"))
