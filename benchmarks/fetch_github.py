"""Measure how fast pull requests come from a GitHub that takes 300 ms an answer, beside PyGithub.

    python benchmarks/fetch_github.py [--latency-ms N] [--pull-requests N] [--pygithub-python PYTHON]

The simulated GitHub runs as a process of its own, and so does each reader: requests are
counted by the readers, peak memory is the reader's. Several repositories are read as
data_fetch reads them, over one client. PYTHON is an interpreter that has PyGithub.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pydantic import SecretStr

from data_fetch.readers import read_in_turn
from sentinel.sources.github import GitHubSource
from sentinel.sources.github.client import open_client
from sentinel.sources.page import Page

REPOSITORIES = ("saltmarsh/harbour", *(f"saltmarsh/harbour-{place}" for place in range(2, 9)))
READERS = ("1 repository, without files", "1 repository, with files", "8 repositories, without files")
TOKEN = "simulated"
PYGITHUB = """
import json, sys, time
import github
address, count = sys.argv[1], int(sys.argv[2])
api = github.Github(base_url=address, auth=github.Auth.Token("simulated"), per_page=100, seconds_between_requests=0)
requests, began = 0, time.perf_counter()
send = github.Requester.Requester._Requester__requestRaw
def counted(*given, **named):
    global requests
    requests += 1
    return send(*given, **named)
github.Requester.Requester._Requester__requestRaw = counted
for place, one in enumerate(api.get_repo("saltmarsh/harbour").get_pulls(state="all", sort="created", direction="asc")):
    if place == count:
        break
    one.title, one.additions, one.changed_files, one.commits
seconds = time.perf_counter() - began
print(json.dumps({"read": count, "requests": requests, "seconds": seconds, "mebibytes": None}))
"""


def main() -> None:
    """Measure each reader in a process of its own and print a table."""
    given = _arguments()
    if given.reader:
        print(json.dumps(measure(given.reader, given.address)))
        return
    print(f"{'reader':<34}{'pull requests/s':>16}{'requests/1,000':>16}{'peak MiB':>10}")
    with serving(given.pull_requests, given.latency_ms) as address:
        for reader in READERS:
            command = [sys.executable, __file__, "--reader", reader, "--address", address]
            show(reader, json.loads(subprocess.run(command, check=True, capture_output=True).stdout.splitlines()[-1]))
        if given.pygithub_python:
            command = [given.pygithub_python, "-c", PYGITHUB, address, "100"]
            show("PyGithub, without files", json.loads(subprocess.run(command, check=True, capture_output=True).stdout))


@dataclass
class Reading:
    """One repository that is read."""

    pages: Iterator[Page]


def measure(reader: str, address: str) -> dict[str, float]:
    """Read the first repositories once, all at the same time."""
    n_repositories, with_files = int(reader.split()[0]), "with files" in reader
    began = time.perf_counter()
    with open_client(address, SecretStr(TOKEN), 3600) as client:
        readings = [Reading(GitHubSource(client, [name], "benchmark:", with_files=with_files).pages(lambda _: None))
                    for name in REPOSITORIES[:n_repositories]]
        pages = (page for _, page in read_in_turn(readings, n_repositories) if isinstance(page, Page))
        read = sum(len(page.records) for page in pages)
        return {"read": read, "requests": client.counts.requests, "seconds": time.perf_counter() - began,
                "mebibytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def show(reader: str, found: dict[str, float]) -> None:
    """Print one line of the table."""
    memory = "" if found["mebibytes"] is None else f"{found['mebibytes']:.0f}"
    print(f"{reader:<34}{found['read'] / found['seconds']:>16.1f}{1000 * found['requests'] / found['read']:>16.1f}"
          f"{memory:>10}", flush=True)


@contextmanager
def serving(n_pull_requests: int, latency_ms: float) -> Iterator[str]:
    """Start the simulated GitHub as a process; yield its address."""
    command = [sys.executable, "-m", "sentinel.sources.simulated", "serve", "--pull-requests", str(n_pull_requests),
               "--repositories", str(len(REPOSITORIES)), "--latency-ms", str(latency_ms), "--token", TOKEN]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split()[0]
        finally:
            process.terminate()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure reading from GitHub.")
    parser.add_argument("--latency-ms", type=float, default=300.0)
    parser.add_argument("--pull-requests", type=int, default=3_000)
    parser.add_argument("--pygithub-python", help="an interpreter that has PyGithub")
    parser.add_argument("--reader", help=argparse.SUPPRESS)
    parser.add_argument("--address", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
