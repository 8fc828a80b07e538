"""Nothing is lost: data_fetch is killed, GitHub goes away within a page, MongoDB within a bulk, and both come back.

After the last run the collection holds what the simulated GitHub holds, document by document.
"""

import os
import random
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from sentinel.mongo import open_pull_request_store
from sentinel.pull_request_document import to_document
from sentinel.settings import MongoSettings
from sentinel.sources.simulated import FaultPlan, SimulatedGitHub
from sentinel.sources.simulated.faults import Fault
from tests.data_fetch.conftest import TOKEN
from tests.data_fetch.killable import Fetch, KillableMongo, wait_until
from tests.patience import PATIENCE_SECONDS

N_SEEDS = int(os.environ.get("SENTINEL_FAULT_SEEDS", "2"))  # `make test-faults` sets 50
PASSING = (Fault.BAD_GATEWAY, Fault.TRUNCATED, Fault.BROKEN_JSON, Fault.RESET, Fault.RESOURCE_LIMITS)


@pytest.fixture(scope="module")
def mongo(tmp_path_factory) -> Iterator[KillableMongo]:
    server = KillableMongo(tmp_path_factory.mktemp("killable"))
    yield server
    server.kill()


class Faults:
    """Does one thing to a run, at a moment that is random by seed."""

    def __init__(self, rng: random.Random, github: SimulatedGitHub, mongo: KillableMongo, fetch: Fetch) -> None:
        self._rng, self._github, self._mongo, self._fetch = rng, github, mongo, fetch

    def strike(self, fault: Callable[["Faults"], None]) -> None:
        """Let a run begin, strike within it, and wait for its end."""
        self._process = self._fetch.start()
        moment = self._github.n_requests + self._rng.randint(1, 14)
        wait_until(lambda: self._github.n_requests >= moment, self._process)
        time.sleep(self._rng.uniform(0, 0.06))
        fault(self)
        assert self._process.wait(PATIENCE_SECONDS) in (0, 75, -9), self._fetch.output.read_text()[-3000:]

    def kill_fetch(self) -> None:
        self._process.kill()

    def lose_github(self) -> None:
        plan, self._github.plan = self._github.plan, FaultPlan(always=self._rng.choice((Fault.TRUNCATED, Fault.RESET)))
        time.sleep(self._rng.uniform(0.1, 1.0))
        self._github.plan = plan

    def lose_mongo(self) -> None:
        self._mongo.kill()
        time.sleep(self._rng.uniform(0, 0.5))
        self._mongo.start()


def let_people_work(github: SimulatedGitHub, at: datetime, rng: random.Random) -> datetime:
    """Edit and open pull requests from `at` on; return the moment of the last change."""
    for repository in github.repositories.values():
        numbers = [record.pull_request.number for record in repository.records()]
        for number in rng.sample(numbers, k=rng.randint(0, 60)):
            at += timedelta(seconds=rng.choice((0, 0, 1, 40)))
            repository.edit(number, at, title=f"Edited at {at}")
        repository.open_another(at)
    return at + timedelta(minutes=rng.choice((0, 1, 10, 600)))


def held(github: SimulatedGitHub) -> dict[str, dict]:
    documents = [to_document(record) for one in github.repositories.values() for record in one.records()]
    return {document["_id"]: document for document in documents}


@pytest.mark.parametrize("seed", range(N_SEEDS))
def test_after_kills_and_outages_the_collection_is_what_github_holds(
        seed, mongo, mongodb_database, serve_github, tmp_path):
    rng = random.Random(seed)
    plan = FaultPlan(share=rng.choice((0.0, 0.1)), seed=seed, kinds=PASSING, latency_seconds=0.03,
                     heaviest_page_with_files=rng.choice((None, 60)))
    github, address = serve_github({"saltmarsh/ferry": rng.randint(300, 700), "saltmarsh/pier": 150}, plan)
    fetch = Fetch(mongo, mongodb_database, address, TOKEN, list(github.repositories), tmp_path)
    at = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=1)
    faults = Faults(rng, github, mongo, fetch)
    for fault in rng.sample([*[Faults.kill_fetch] * 4, Faults.lose_github, Faults.lose_mongo], k=6):
        faults.strike(fault)
        at = let_people_work(github, at, rng)
    fetch.run_until_done()
    with open_pull_request_store(MongoSettings(mongodb_uri=mongo.uri, mongodb_database=mongodb_database)) as store:
        found, rejected = list(store._pull_requests.find({})), list(store._rejected.find({}))

    assert held(github) == {document["_id"]: document for document in found}
    assert len(held(github)) == len(found)
    assert [] == rejected
