"""Compare what data_fetch stores per second with a bare pymongo bulk loop on the same server.

    python benchmarks/fetch_to_mongo.py PULL_REQUESTS.jsonl.gz [--mongodb-uri URI] [--rounds N]

Rounds alternate between the two, each into a new database that is dropped afterwards; the
medians count. MongoDB must not be the brake: the ratio should be 0.9 or more.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from pymongo import MongoClient, ReplaceOne

from sentinel.mongo import open_pull_request_store, to_document
from sentinel.settings import MongoSettings
from sentinel.sources.jsonl import JsonLinesSource
from sentinel.sources.page import Page


def main() -> None:
    """Read the records once, then store them in turns."""
    parser = argparse.ArgumentParser(description="Compare our store with a bare bulk loop of pymongo.")
    parser.add_argument("path", type=Path)
    parser.add_argument("--mongodb-uri", default="mongodb://127.0.0.1:27017")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    started = time.perf_counter()
    pages = list(JsonLinesSource(given.path).pages(lambda repository: None))
    n_records = sum(len(page.records) for page in pages)
    print(f"{'read and parse':<28}{n_records / (time.perf_counter() - started):>10.0f} pull requests/s")
    bare, first, second = [], [], []
    for _ in range(given.rounds):
        bare += timed(given.mongodb_uri, n_records, lambda uri, name: store_bare(uri, name, pages))
        both = timed(given.mongodb_uri, n_records, *[lambda uri, name: store_ours(uri, name, pages)] * 2)
        first.append(both[0])
        second.append(both[1])
    rates = {"bare pymongo bulk loop": bare, "our store, first run": first, "our store, second run": second}
    for name, found in rates.items():
        ratio = statistics.median(found) / statistics.median(bare)
        print(f"{name:<28}{statistics.median(found):>10.0f} pull requests/s   ratio {ratio:.2f}")


def timed(uri: str, n_records: int, *stores: Callable[[str, str], None]) -> list[float]:
    """Return the rate of each store, in turn, into one new database."""
    name, rates = f"benchmark_{uuid4().hex}", []
    for store in stores:
        started = time.perf_counter()
        store(uri, name)
        rates.append(n_records / (time.perf_counter() - started))
    with MongoClient(uri) as client:
        client.drop_database(name)
    return rates


def store_bare(uri: str, database: str, pages: list[Page]) -> None:
    """Upsert ready documents page by page: what the server and the driver cost alone."""
    with MongoClient(uri) as client:
        for page in pages:
            documents = map(to_document, page.records)
            writes = [ReplaceOne({"_id": document["_id"]}, document, upsert=True) for document in documents]
            client[database]["pull_requests"].bulk_write(writes, ordered=False)


def store_ours(uri: str, database: str, pages: list[Page]) -> None:
    """Store pages as data_fetch does."""
    with open_pull_request_store(MongoSettings(mongodb_uri=uri, mongodb_database=database)) as store:
        store.prepare()
        for page in pages:
            store.save_page(page)


if __name__ == "__main__":
    main()
