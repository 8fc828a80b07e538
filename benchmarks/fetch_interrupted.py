"""Fetch 100,000 simulated pull requests, killed several times on the way, and compare what is stored at the end.

    python benchmarks/fetch_interrupted.py [--mongodb-uri URI] [--pull-requests N] [--kills N] [--seed N]

The simulated GitHub and data_fetch are processes of their own; `kill -9` ends data_fetch at
random moments. Prints time and peak memory of each run, and what differs; exits 1 if anything does.
"""

import argparse
import os
import random
import subprocess
import sys
import time
from uuid import uuid4

from pymongo import MongoClient

from sentinel.mongo import open_pull_request_store
from sentinel.pull_request_document import to_document
from sentinel.settings import MongoSettings
from sentinel.sources.simulated import make_simulated_github

REPOSITORY, TOKEN = "saltmarsh/harbour", "simulated"
FIRST_KILL_SECONDS, LAST_KILL_SECONDS = 3.0, 25.0


def main() -> int:
    """Kill, run to the end, compare."""
    given = _arguments()
    rng, database = random.Random(given.seed), f"benchmark_{uuid4().hex}"
    settings = MongoSettings(mongodb_uri=given.mongodb_uri, mongodb_database=database)
    command = [sys.executable, "-m", "sentinel.sources.simulated", "serve", "--pull-requests",
               str(given.pull_requests), "--token", TOKEN]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            environment = {
                "PATH": os.environ["PATH"], "MONGODB_URI": given.mongodb_uri, "SENTINEL_MONGODB_DATABASE": database,
                "GITHUB_TOKEN": TOKEN, "SENTINEL_GITHUB_API_URL": server.stdout.readline().split()[0]}
            kills = [rng.uniform(FIRST_KILL_SECONDS, LAST_KILL_SECONDS) for _ in range(given.kills)]
            code = [run(environment, settings, seconds) for seconds in [*kills, None]][-1]
        finally:
            server.terminate()
    differing = compare(settings, given.pull_requests)
    with MongoClient(given.mongodb_uri) as client:
        client.drop_database(database)
    return 1 if code or differing else 0


def run(environment: dict[str, str], settings: MongoSettings, kill_after_seconds: float | None) -> int:
    """Run data_fetch, killed after so many seconds; return its exit code."""
    began = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "data_fetch", "--repository", REPOSITORY], env=environment,
                               stdout=subprocess.DEVNULL)
    if kill_after_seconds is not None:
        time.sleep(kill_after_seconds)
        process.kill()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    with open_pull_request_store(settings) as store:
        n_stored = sum(1 for _ in store.content_hashes())
    print(f"exit code {process.returncode:>3}   {time.monotonic() - began:>7.1f} s   peak "
          f"{usage.ru_maxrss / 1024:>4.0f} MiB   stored {n_stored:>7}", flush=True)
    return process.returncode


def compare(settings: MongoSettings, n_pull_requests: int) -> int:
    """Compare every document with what the simulated GitHub holds; return how many differ."""
    github = make_simulated_github(TOKEN, pull_requests={REPOSITORY: n_pull_requests})
    held = {document["_id"]: document["content_hash"]
            for document in map(to_document, github.repositories[REPOSITORY].records())}
    n_documents, stored = 0, {}
    with open_pull_request_store(settings) as store:
        for document in store.read(REPOSITORY):
            n_documents += 1
            stored[document["_id"]] = document["content_hash"]
    differing = sum(stored.get(key) != content_hash for key, content_hash in held.items())
    differing += len(stored.keys() - held.keys()) + n_documents - len(stored)
    print(f"held {len(held)}, stored {n_documents}, missing, other or twice: {differing}")
    return differing


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Fetch many pull requests, interrupted.")
    parser.add_argument("--mongodb-uri", default="mongodb://127.0.0.1:27017")
    parser.add_argument("--pull-requests", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=4)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
