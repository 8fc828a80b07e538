"""A bucket that answers three requests of ten with an error, a thousand times."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from sentinel.errors import UnavailableError
from sentinel.object_store import ObjectStore, open_object_store
from tests.chaos.conftest import SEED
from tests.s3_server import CUT, bucket_settings, faulty_front, s3_server

pytestmark = pytest.mark.chaos
N_CALLS, SHARE, N_CLIENTS = 1_000, 0.3, 25
# Five tries each: 0.3 ** 5 of a thousand calls, about 2.4, fail; a stage ends with 75 then and is run again.
# More than 16 have a chance below one in a million. A client has a hundred retries to spend, which no task needs.
MOST_FAILURES = 16


def test_three_failures_of_ten_requests_cost_almost_no_call(seen):
    rng, lock = random.Random(SEED), threading.Lock()

    def weather(method: str, path: str) -> int | None:
        with lock:
            return rng.choice((500, 503, CUT)) if rng.random() < SHARE else None

    with s3_server() as endpoint, faulty_front(endpoint) as front, ThreadPoolExecutor(N_CLIENTS) as threads:
        stores = [open_object_store(bucket_settings(front.endpoint, "weather")) for _ in range(N_CLIENTS)]
        front.fault = weather
        failed = sum(threads.map(n_failed, stores, range(N_CLIENTS)))
        front.fault = lambda method, path: None
        store = stores[0]
        wrong = [name for name in store.names("") if store.get_bytes(name) != name.encode() * 1_000]

    seen(calls=N_CALLS, faults=len(front.faults), failed_calls=failed, wrong_objects=len(wrong))
    assert (True, []) == (failed <= MOST_FAILURES, wrong)


def n_failed(store: ObjectStore, client: int) -> int:
    """Put and get what a client's share of the calls allows; return how many failed. What is read was written."""
    failed = 0
    for number in range(N_CALLS // N_CLIENTS // 2):
        name = f"objects/{client}-{number}"
        try:
            store.put_bytes(name, name.encode() * 1_000)
            assert name.encode() * 1_000 == store.get_bytes(name)
        except UnavailableError:
            failed += 1
    return failed
