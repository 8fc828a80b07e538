"""Believable pull requests in any number: the simulated history, spread over repositories of one size."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count, islice
from pathlib import Path

from pymongo import MongoClient

from sentinel.command.data_folder import DataFolder
from sentinel.command.embedded_mongo import embedded_mongo
from sentinel.mongo import open_pull_request_store, to_document
from sentinel.pull_request import PullRequestRecord
from sentinel.settings import MongoSettings
from sentinel.sources.simulated.history import SimulatedRepository
from sentinel.sources.simulated.layouts import HARBOUR, TIDEPOOL

PER_REPOSITORY = 5_000
PAGE = 1_000


def believable(n_pull_requests: int) -> Iterator[PullRequestRecord]:
    """Yield pull requests of made-up repositories, PER_REPOSITORY each; the same ones every time."""
    def records() -> Iterator[PullRequestRecord]:
        for place in count():
            layout = replace((HARBOUR, TIDEPOOL)[place % 2], repository=f"made-up/project-{place:04}")
            yield from SimulatedRepository(layout, place, PER_REPOSITORY).records()
    return islice(records(), n_pull_requests)


@contextmanager
def filled_mongo(folder: Path, n_pull_requests: int) -> Iterator[MongoSettings]:
    """Run an embedded server with that many pull requests."""
    data = DataFolder(folder)
    data.logs.mkdir(parents=True)
    with embedded_mongo(data, os.environ) as uri:
        settings = MongoSettings(mongodb_uri=uri)
        with open_pull_request_store(settings) as store:
            store.prepare()
        with MongoClient(uri) as client:
            stored = client[settings.mongodb_database]["pull_requests"]
            documents = map(to_document, believable(n_pull_requests))
            while page := list(islice(documents, PAGE)):
                stored.insert_many(page, ordered=False)
        yield settings
