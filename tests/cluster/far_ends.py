"""The servers outside of the cluster: GitHub's stand-in with real pull requests, MongoDB's protocol, MLflow."""

import os
import socket
import subprocess
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sentinel.pull_request import PullRequestRecord
from sentinel.sources.jsonl import JsonLinesSource
from sentinel.sources.simulated.api import SimulatedGitHub
from sentinel.sources.simulated.faults import FaultPlan
from sentinel.sources.simulated.server import serve
from tests.cluster.kubernetes import wait_until

START_MONGODB = "import logging, sys; logging.disable(logging.INFO); from nx_27017 import main; sys.exit(main())"
START_SECONDS, STOP_SECONDS = 90.0, 20.0


class RecordedRepository:
    """A repository of GitHub's out of records that were read before, for the simulated GitHub's API."""

    def __init__(self, name: str, records: Sequence[PullRequestRecord]) -> None:
        """Keep `records` in both orders that GitHub lists them in."""
        self.name = name
        self._by_number = {record.pull_request.number: record for record in records}
        self._ordered = {order: sorted(self.key(order, record) for record in self._by_number.values())
                         for order in ("CREATED_AT", "UPDATED_AT")}

    def __len__(self) -> int:
        """Return how many pull requests there are."""
        return len(self._by_number)

    def key(self, order: str, record: PullRequestRecord) -> tuple[int, int]:
        """Return the place of a record in a walk."""
        opened = record.pull_request
        at = opened.opened_at if order == "CREATED_AT" else record.outcome.updated_at or opened.opened_at
        return int(at.timestamp()), opened.number

    def find(self, number: int) -> PullRequestRecord | None:
        """Return the pull request `number`, or None."""
        return self._by_number.get(number)

    def page(self, order: str, is_descending: bool, after: tuple[int, ...] | None,
             count: int) -> tuple[list[PullRequestRecord], bool]:
        """Return up to `count` pull requests behind the key `after`, and whether more follow."""
        keys = self._ordered[order]
        if is_descending:
            rest = keys[:len(keys) if after is None else bisect_left(keys, tuple(after))][::-1]
        else:
            rest = keys[0 if after is None else bisect_right(keys, tuple(after)):]
        return [self._by_number[number] for _, number in rest[:count]], len(rest) > count


def read_repositories(paths: Sequence[Path], n_most: int) -> list[RecordedRepository]:
    """Read the first `n_most` pull requests of each repository out of files of JSON lines."""
    records: dict[str, list[PullRequestRecord]] = {}
    for path in paths:
        for page in JsonLinesSource(path).pages(lambda repository: None):
            records.setdefault(page.repository, []).extend(page.records)
    return [RecordedRepository(name, sorted(found, key=lambda record: record.pull_request.opened_at)[:n_most])
            for name, found in records.items()]


@contextmanager
def github_with(repositories: Sequence[Any], token: str, host: str) -> Iterator[str]:
    """Serve repositories as GitHub does; yield the address of the API."""
    with serve(SimulatedGitHub(list(repositories), token, FaultPlan()), host=host) as address:
        yield address


@contextmanager
def mongodb_at(host: str, folder: Path) -> Iterator[str]:
    """Run the embedded server that speaks MongoDB's protocol; yield its URI."""
    port = free_port(host)
    command = [sys.executable, "-P", "-c", START_MONGODB, "--data-dir", str(folder / "databases"), "--host", host,
               "-p", str(port), "--log-file", str(folder / "server.log"), "--pid-file", str(folder / "server.pid")]
    with _process(command, folder, host, port):
        yield f"mongodb://{host}:{port}"


@contextmanager
def mlflow_at(host: str, folder: Path) -> Iterator[str]:
    """Run a real MLflow server that keeps artifacts itself; yield its address."""
    port = free_port(host)
    command = [sys.executable, "-m", "mlflow", "server", "--host", host, "--port", str(port), "--workers", "1",
               "--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", str(folder / "kept"),
               "--serve-artifacts", "--allowed-hosts", f"{host}:{port}"]
    without_jobs = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}  # three more processes, which nothing here needs
    with _process(command, folder, host, port, os.environ | without_jobs):
        yield f"http://{host}:{port}"


def free_port(host: str) -> int:
    """Return a port of `host` that nothing listens on."""
    with socket.socket() as listener:
        listener.bind((host, 0))
        return int(listener.getsockname()[1])


@contextmanager
def _process(command: Sequence[str], folder: Path, host: str, port: int,
             environment: Mapping[str, str] | None = None) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "output.txt").open("wb") as output:
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=output, env=environment)
    try:
        wait_until(f"port {port} of {host} answers", lambda: process.poll() is None and _listens(host, port),
                   START_SECONDS, lambda: (folder / "output.txt").read_text(errors="replace")[-1000:])
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _listens(host: str, port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex((host, port)) == 0
