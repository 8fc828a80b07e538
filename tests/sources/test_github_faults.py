"""Nothing is lost: GitHub fails at random, the reader is killed at random, people go on working meanwhile."""

import os
import random
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from sentinel.errors import UnavailableError
from sentinel.sources.simulated import FaultPlan

HARBOUR = "saltmarsh/harbour"
N_SEEDS = int(os.environ.get("SENTINEL_FAULT_SEEDS", "3"))  # `make test-faults` sets 50


def read_until_killed(reader, rng: random.Random) -> None:
    """Read some pages; a run may also end for want of time."""
    with suppress(UnavailableError):
        reader.run(max_pages=rng.randint(1, 5), budget_seconds=rng.choice((20, 200, 1e6)))


def let_people_work(harbour, numbers: list[int], at: datetime, rng: random.Random) -> datetime:
    """Edit and open pull requests from `at` on; return the moment of the last change."""
    for number in rng.sample(numbers, k=rng.randint(0, 60)):
        at += timedelta(seconds=rng.choice((0, 0, 1, 40)))
        harbour.edit(number, at, title=f"Edited at {at}")
    numbers.append(harbour.open_another(at))
    return at


@pytest.mark.parametrize("seed", range(N_SEEDS))
def test_after_failures_and_kills_all_is_there_as_it_is(serve_github, seed):
    rng = random.Random(seed)
    reader = serve_github(400, FaultPlan(share=0.3, seed=seed, heaviest_page_with_files=rng.choice((None, 30, 70))))
    harbour = reader.github.repositories[HARBOUR]
    numbers = [record.pull_request.number for record in harbour.records()]
    at = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=1)
    for _ in range(rng.randint(4, 9)):
        read_until_killed(reader, rng)
        at = let_people_work(harbour, numbers, at, rng) + timedelta(minutes=rng.choice((0, 1, 10, 600)))
    reader.run()

    assert len(numbers) == len(reader.records)
    assert reader.is_complete
    assert [] == reader.rejected
