"""Measure one vector and one observe on real pull requests, and the content group on real patches.

    python benchmarks/features_speed.py PULL_REQUESTS.jsonl.gz [FOLDER_WITH_PATCHES]
"""

import gzip
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from sentinel.content import read_content
from sentinel.features.facts import Facts
from sentinel.history import RepositoryHistory, events_of
from sentinel.pull_request import PullRequestRecord, parse_json_line, parse_pull_request


def main(arguments: list[str]) -> None:
    """Print medians in microseconds of processor time, and megabytes of patch per second."""
    records = read_records(Path(arguments[0]))
    times: dict[str, list[float]] = {"features": [], "observe opened": [], "observe merged": []}
    history = RepositoryHistory("any/any")
    events = sorted((event for record in records for event in events_of(record)), key=lambda event: event.sort_key)
    for event in events:
        if event.kind == "opened":
            times["features"].append(microseconds(lambda: history.features(event.pull_request)))
        times[f"observe {event.kind}"].append(microseconds(lambda: history.observe(event)))
    for name, measured in times.items():
        print(f"{name:15} {statistics.median(measured):7.1f} µs median {statistics.mean(measured):7.1f} µs mean")
    print(f"one step of an empty loop here takes {1_000 * microseconds(lambda: loop(10 ** 6)) / 10 ** 6:.0f} ns; "
          "about 15 where nothing else runs")
    print(f"file            {len(history.to_bytes()):,} bytes")
    if len(arguments) > 1:
        print(f"content         {content_speed(Path(arguments[1])):.1f} MB/s of patch")


def read_records(path: Path) -> list[PullRequestRecord]:
    """Read a file of JSON lines, gzipped."""
    with gzip.open(path) as lines:
        return [parse_pull_request(parse_json_line(line), number=place + 1) for place, line in enumerate(lines)]


def loop(n_steps: int) -> None:
    """Do nothing, `n_steps` times: how fast the machine is just now."""
    for _ in range(n_steps):
        pass


def microseconds(work: Callable[[], object]) -> float:
    """Return the processor time of one call."""
    started = time.thread_time_ns()
    work()
    return (time.thread_time_ns() - started) / 1_000


def content_speed(folder: Path) -> float:
    """Return megabytes of patch per second over all files of a folder."""
    n_bytes = seconds = 0.0
    for path in sorted(folder.glob("*.jsonl.gz")):
        for record in read_records(path):
            facts = Facts(record.pull_request)
            n_bytes += sum(len((file.patch or "").encode()) for file in facts.files)
            seconds += microseconds(lambda: read_content(facts.files, facts.paths)) / 1e6
    return n_bytes / 1e6 / seconds


if __name__ == "__main__":
    main(sys.argv[1:])
