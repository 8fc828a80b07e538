"""Measure the scorer beside two Flask applications that answer a constant of the same size.

    python benchmarks/serving.py PULL_REQUESTS.jsonl.gz CHAMPION_FOLDER [--only http|workers|batch] [--seconds N]

"bare" does nothing else; "constant" is the scorer's own application (request ids, log line, metrics, limits) with
another function behind /score. CHAMPION_FOLDER is the copy that a scorer made (`.sentinel/champion`). Rounds of the
applications alternate, as the machine's speed changes; what counts is the ratio, and on a machine with other work the
ratio of CPU time per request, as a server with more threads takes more of the CPU from others. Needs `wrk` and Linux.
"""

import argparse
import gzip
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import numpy as np
import orjson

CONSTANTS = ("bare", "constant")
APPLICATIONS = (*CONSTANTS, "score")
OURS = "model_serving.worker.FairWorker"
CLASSES = ("sync", "gthread", "gevent", OURS)
CONNECTIONS, SLOW_CLIENTS = 32, (0, 16, 256)
N_FILES = 30
UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}
MODEL_ROWS, BATCH = 100_000, 10_000


def main() -> None:
    """Run what is asked for and print tables."""
    given = _parse()
    if given.serve:
        serve(given)
        return
    payload = orjson.dumps(find_pull_request(given.pull_requests))
    for name, measure in (("http", measure_http), ("workers", measure_workers), ("batch", measure_batch)):
        if given.only in (None, name):
            measure(given, payload)


def measure_http(given: argparse.Namespace, payload: bytes) -> None:
    """Compare requests/s and p99 of POST /score with those of the constants."""
    rounds: dict[str, list[tuple[float, float, float]]] = {name: [] for name in APPLICATIONS}
    with ExitStack() as stack:
        servers = {name: stack.enter_context(running(given, name, OURS, payload)) for name in APPLICATIONS}
        for _ in range(given.rounds):
            for name, server in servers.items():
                rounds[name].append(load(server, payload, given.seconds))
    print(f"\nPOST /score, {len(payload):,} bytes, {CONNECTIONS} connections, medians of {given.rounds} rounds")
    medians = {name: [statistics.median(column) for column in zip(*values)] for name, values in rounds.items()}
    for name, (per_second, p99, cpu) in medians.items():
        print(f"  {name:10} {per_second:8,.0f} requests/s   p99 {p99 * 1e3:7.1f} ms   {cpu * 1e6:7,.0f} µs CPU each")
    per_second, p99, cpu = medians["score"]
    for name in CONSTANTS:
        print(f"  of {name:8} {per_second / medians[name][0]:7.0%} (aim 70 %)     "
              f"p99 {p99 / medians[name][1]:6.2f} times (aim 2)   by CPU time {medians[name][2] / cpu:.0%}")


def measure_workers(given: argparse.Namespace, payload: bytes) -> None:
    """Compare worker classes, alone and beside clients that send one byte and wait."""
    print(f"\nrequests/s of POST /score by worker class and number of slow clients, {CONNECTIONS} connections,"
          " with the CPU time of one request")
    for worker_class in CLASSES:
        cells = []
        for n_slow in SLOW_CLIENTS:
            with running(given, "score", worker_class, payload) as server, slow_clients(server.address, n_slow):
                per_second, p99, cpu = load(server, payload, given.seconds)
                cells.append(f"{n_slow} slow: {per_second:5,.0f}/s p99 {p99 * 1e3:,.0f} ms {cpu * 1e6:,.0f} µs")
        print(f"  {worker_class.rpartition('.')[2]:10} {'   '.join(cells)}")


def measure_batch(given: argparse.Namespace, payload: bytes) -> None:
    """Measure pull requests/s of a batch over HTTP on two connections, and rows/s of the model alone."""
    from model_serving.champion_copy import ChampionFolder
    from model_serving.scorer import load_champion
    with gzip.open(given.pull_requests) as lines:
        batch = b"".join(line for line, _ in zip(lines, range(BATCH)))
    count = batch.count(b"\n")
    with running(given, "score", OURS, payload) as server:
        ask(server.address, "/score/batch", batch, "application/x-ndjson")
        began, cpu_before = time.perf_counter(), server.cpu_seconds()
        threads = [threading.Thread(target=ask, args=(server.address, "/score/batch", batch, "application/x-ndjson"))
                   for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds, cpu = time.perf_counter() - began, server.cpu_seconds() - cpu_before
    print(f"\nPOST /score/batch, 2 at once, {count:,} pull requests each: {2 * count / seconds:,.0f} pull requests/s, "
          f"{cpu / (2 * count) * 1e6:,.0f} µs CPU each")
    champion = load_champion(ChampionFolder(given.champion))
    X = np.random.default_rng(0).exponential(1.0, (MODEL_ROWS, len(champion.model.feature_names)))
    champion.model.score(X)
    began = time.process_time()
    champion.model.score(X)
    print(f"model alone: {MODEL_ROWS / (time.process_time() - began):,.0f} rows/s of one core")


@dataclass(frozen=True)
class Running:
    """A server in a process of its own."""

    address: str
    process: int

    def cpu_seconds(self) -> float:
        """Return the CPU time of its workers so far."""
        children = Path(f"/proc/{self.process}/task/{self.process}/children").read_text().split()
        stats = [Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split() for child in children]
        return sum(int(stat[11]) + int(stat[12]) for stat in stats) / os.sysconf("SC_CLK_TCK")


def load(server: Running, payload: bytes, seconds: int) -> tuple[float, float, float]:
    """Return requests/s that succeeded, the 99th percentile in seconds, and the CPU seconds of one request."""
    before = server.cpu_seconds()
    output = run_wrk(server.address, payload, seconds)
    cpu = server.cpu_seconds() - before
    number, unit = re.search(r"99%\s+([\d.]+)(us|ms|s|m)", output).groups()
    total = int(re.search(r"(\d+) requests in", output)[1])
    failed = sum(map(int, re.findall(r"Non-2xx or 3xx responses: (\d+)", output)))
    return (total - failed) / seconds, float(number) * UNITS[unit], cpu / max(total, 1)


def run_wrk(address: str, payload: bytes, seconds: int, authorization: str = "", path: str = "/score") -> str:
    """Run wrk and return what it prints."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script, tempfile.NamedTemporaryFile() as body:
        body.write(payload)
        body.flush()
        script.write(f'wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\n'
                     f'wrk.headers["Authorization"] = "{authorization}"\n'
                     f'wrk.body = io.open("{body.name}", "rb"):read("*a")\n')
        script.flush()
        return subprocess.run(
            ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency", "--timeout", "10s", "-s", script.name,
             f"{address}{path}"], check=True, capture_output=True, text=True).stdout


@contextmanager
def running(given: argparse.Namespace, application: str, worker_class: str, payload: bytes) -> Iterator[Running]:
    """Yield an application in a process of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.NamedTemporaryFile() as body:
        body.write(payload)
        body.flush()
        process = subprocess.Popen(
            [sys.executable, __file__, given.pull_requests, given.champion, "--serve", application, "--port", str(port),
             "--worker-class", worker_class], stdout=subprocess.DEVNULL, start_new_session=True)
        address = f"http://127.0.0.1:{port}"
        try:
            wait_until(lambda: ask(address, "/score", payload, "application/json"))
            yield Running(address, process.pid)
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()


def serve(given: argparse.Namespace) -> None:
    """Serve one of the applications until a signal."""
    from flask import Flask, Response, request

    from model_serving.scorer import Scorer
    from model_serving.server import Server
    from model_serving.settings import ServingSettings
    from sentinel.logs import configure_logs

    class Measured(Server):
        """The server with another worker class, and perhaps another application."""

        def _options(self) -> dict[str, Any]:
            return dict(super()._options()) | {"worker_class": given.worker_class, "threads": 8}

    configure_logs("model_serving")
    listener = socket.create_server(("127.0.0.1", given.port))
    settings = ServingSettings(mlflow_tracking_uri="http://127.0.0.1:9", object_store_uri="file:///none",
                               champion_folder=given.champion, refresh_seconds=1e9)
    with tempfile.TemporaryDirectory() as metrics:
        scorer = Scorer(settings.champion_folder)
        scorer.load()
        scorer.folder.save_attempt(_attempt())
        server = Measured(settings, scorer, listener, metrics)
        if given.serve in CONSTANTS:
            payload = find_pull_request(given.pull_requests)
            answer = server._app.test_client().post("/score", json=payload).data

            def constant() -> Response:
                """Read the body and answer a constant of the scorer's size."""
                request.get_data()
                return Response(answer, content_type="application/json")

            if given.serve == "bare":
                server._app = Flask("bare")
                server._app.add_url_rule("/score", "scoring.score", methods=["POST"])
            server._app.view_functions["scoring.score"] = constant
        server.run()


@contextmanager
def slow_clients(address: str, count: int) -> Iterator[None]:
    """Hold connections that have sent one byte of their body."""
    port = int(address.rpartition(":")[2])
    head = b"POST /score HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"
    clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]
    for client in clients:
        client.sendall(head)
    try:
        yield
    finally:
        for client in clients:
            client.close()


def ask(address: str, path: str, body: bytes, media_type: str) -> bytes:
    """Post a body and return the answer's."""
    with urlopen(Request(address + path, body, {"Content-Type": media_type}), timeout=120) as answer:
        content: bytes = answer.read()
    return content


def find_pull_request(path: str) -> dict[str, Any]:
    """Return the first pull request that comes nearest to 30 files, as GitHub would send it."""
    with gzip.open(path) as lines:
        nearest: dict[str, Any] = min(map(orjson.loads, lines), key=lambda one: abs(len(one["files"]) - N_FILES))
    return nearest


def _attempt() -> Any:
    from datetime import UTC, datetime

    from model_serving.champion_copy import Attempt
    return Attempt(datetime.now(UTC).isoformat(), True, "benchmark")


def wait_until(action: Any) -> None:
    """Repeat until it does not fail any more, at most a minute."""
    patience = time.monotonic() + 60
    while True:
        try:
            action()
            return
        except OSError:
            if time.monotonic() > patience:
                raise
            time.sleep(0.1)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pull_requests")
    parser.add_argument("champion", type=Path)
    parser.add_argument("--only", choices=("http", "workers", "batch"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--serve", choices=APPLICATIONS, help=argparse.SUPPRESS)
    parser.add_argument("--worker-class", default=OURS, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
