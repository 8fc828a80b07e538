"""What a run did, pushed to a Prometheus push gateway: a job is over before it could be scraped."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from data_fetch.counts import FetchCounts
from sentinel.errors import SentinelError
from sentinel.logs import get_logger

JOB = "data_fetch"
PUSH_SECONDS = 5.0
COUNTS = {
    "requests": "requests to GitHub", "points": "points of GitHub's rate limit that were spent",
    "pages": "pages that were stored", "new": "pull requests that were new", "changed": "pull requests that changed",
    "unchanged": "pull requests that were there already", "skipped": "pull requests older than was asked for",
    "rejected": "records that could not be stored", "failed": "sources that failed",
}


@contextmanager
def closing_counts(counts: FetchCounts, gateway: str | None) -> Iterator[None]:
    """Tell the counts of a run that fails, which has no closing line of its own, and push those of any run."""
    began_at, exit_code = time.monotonic(), 0
    try:
        yield
    except BaseException as error:
        exit_code = error.exit_code if isinstance(error, SentinelError) else 1
        get_logger().info("data_fetch.counted", **counts.facts(), seconds=round(time.monotonic() - began_at, 3))
        raise
    finally:
        if gateway is not None:
            push_metrics(gateway, counts, time.monotonic() - began_at, exit_code)


def push_metrics(gateway: str, counts: FetchCounts, seconds: float, exit_code: int) -> None:
    """Push the counts of the last run; a gateway that is away is logged and fails nothing.

    The time of the last success stays as it is when a run fails.
    """
    from prometheus_client import CollectorRegistry, Gauge, pushadd_to_gateway
    registry, facts = CollectorRegistry(), counts.facts()
    for name, meaning in COUNTS.items():
        Gauge(f"{JOB}_{name}", f"Last run: {meaning}.", registry=registry).set(facts[name])
    Gauge(f"{JOB}_duration_seconds", "Last run: how long it took.", registry=registry).set(seconds)
    Gauge(f"{JOB}_exit_code", "Last run: exit code.", registry=registry).set(exit_code)
    if exit_code == 0:
        Gauge(f"{JOB}_last_success_timestamp_seconds", "When the last run that succeeded ended.",
              registry=registry).set_to_current_time()
    try:
        pushadd_to_gateway(gateway, job=JOB, registry=registry, timeout=PUSH_SECONDS)
    except (OSError, ValueError) as error:
        get_logger().warning("data_fetch.metrics_not_pushed", error=type(error).__name__, text=str(error)[:200])
