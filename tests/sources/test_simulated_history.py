"""The made-up history: always the same, believable, with oddities that are not mere size."""

import subprocess
import sys
import tracemalloc
from statistics import quantiles

import orjson
import pytest

from sentinel.sources.simulated import make_simulated_github
from sentinel.sources.simulated.history import SimulatedRepository
from sentinel.sources.simulated.layouts import DEFAULT_PULL_REQUESTS, HARBOUR
from sentinel.sources.simulated.oddities import ODDITIES
from tests.patience import PATIENCE_SECONDS


@pytest.fixture(scope="module")
def repositories() -> list[SimulatedRepository]:
    return list(make_simulated_github("").repositories.values())


def size(record) -> int:
    return record.pull_request.additions + record.pull_request.deletions


def test_history_is_a_function_of_its_seed(repositories):
    again = make_simulated_github("").repositories["saltmarsh/tidepool"]
    other = make_simulated_github("", seed=1).repositories["saltmarsh/tidepool"]

    assert list(repositories[1].records()) == list(again.records())
    assert list(repositories[1].records()) != list(other.records())


def test_numbers_and_openings_rise_together(repositories):
    for repository in repositories:
        keys = [(record.pull_request.number, record.pull_request.opened_at) for record in repository.records()]

        assert DEFAULT_PULL_REQUESTS[repository.name] == len(keys) == len(repository)
        assert sorted(keys) == keys == sorted(keys, key=lambda key: key[1])


def test_sizes_are_heavy_tailed_as_real_ones_are(repositories):
    """Real repositories: median 1 to 3 files, 95th percentile 6 to 27, 99th 19 to 67."""
    files = [record.pull_request.changed_files for record in repositories[0].records()]
    cuts = quantiles(files, n=100)

    assert 1 <= cuts[49] <= 3 and 5 <= cuts[94] <= 30 and 19 <= cuts[98] <= 120


def test_people_have_habits(repositories):
    authors: dict[str, list] = {}
    for record in repositories[0].records():
        authors.setdefault(record.pull_request.author, []).append(record.pull_request)
    busy = [theirs for author, theirs in authors.items() if author and len(theirs) > 40 and "bot" not in author]

    assert len(busy) > 3 and 40 < sum(len(theirs) == 1 for theirs in authors.values())
    for theirs in busy:
        hours = [one.opened_at.hour for one in theirs]
        share = max(sum((hour - first) % 24 < 10 for hour in hours) for first in range(24)) / len(hours)
        assert share > 0.85


def test_no_file_is_changed_before_it_is_added(repositories):
    for repository in repositories:
        seen: set[str] = set()
        for record in repository.records():
            for file in record.pull_request.files:
                assert not (file.status == "added" and file.path in seen and "test" not in file.path), file
                seen.add(file.path)


def test_every_kind_of_oddity_is_planted_once_in_the_last_third(repositories):
    kinds = []
    for repository in repositories:
        last = max(record.pull_request.number for record in repository.records())
        kinds += repository.planted().values()
        assert min(repository.planted()) / last > 2 / 3

    assert set(ODDITIES) == set(kinds) and 21 == len(kinds)


def test_oddities_are_no_outliers_of_size(repositories):
    for repository in repositories:
        records = list(repository.records())
        large = quantiles(map(size, records), n=10)[8]
        largest_generated = max(size(one) for one in records if one.pull_request.author == "codegen[bot]")
        for number, kind in repository.planted().items():
            allowed = largest_generated if kind == "source-edit-among-generated" else large
            assert size(repository.find(number)) <= allowed, kind


def test_labels_are_in_no_record(repositories):
    shown = "".join(repr(record).lower() for repository in repositories for record in repository.records())

    assert not [kind for kind in ODDITIES if kind in shown or kind.replace("-", "_") in shown]


def test_what_is_planted_is_printed_for_the_runner():
    command = [sys.executable, "-m", "sentinel.sources.simulated", "planted"]
    lines = subprocess.run(command, capture_output=True, check=True, timeout=PATIENCE_SECONDS).stdout.splitlines()

    assert 21 == len(lines)
    assert {"repository", "number", "kind"} == set(orjson.loads(lines[0]))


def test_port_in_use_is_said_with_exit_code_2(serve_github):
    port = serve_github(3).address.rpartition(":")[2]
    command = [sys.executable, "-m", "sentinel.sources.simulated", "serve", "--port", port, "--pull-requests", "3"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS)

    assert (2, True) == (done.returncode, f"could not serve on port {port}: Address already in use" in done.stderr)


def test_plan_costs_bytes_and_a_page_only_itself():
    tracemalloc.start()
    repository = SimulatedRepository(HARBOUR, 1, 3_000)
    planned, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    records, has_more = repository.page("CREATED_AT", False, None, 100)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert (100, True) == (len(records), has_more)
    assert planned < 3_000 * 600
    assert peak - planned < 1_000_000
