"""The history: order, no look into the future, exact files, hostile files, any JSON."""

import hashlib
import json
import math
import random
import zlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.errors import CorruptFileError, RecordError
from sentinel.features.probes import probes
from sentinel.history import Event, RepositoryHistory, events_of
from sentinel.history.counts import FadingCounts, Tails
from sentinel.history.stored import MAGIC
from sentinel.pull_request import Outcome, PullRequestRecord, parse_pull_request

LATER = datetime(2025, 6, 1, tzinfo=UTC)


def fold(records: list[PullRequestRecord], history: RepositoryHistory | None = None) -> dict[int, tuple[float, ...]]:
    """Return the vector of every record, by number."""
    history = history or RepositoryHistory("probe/harbour")
    vectors = {}
    for event in sorted((event for record in records for event in events_of(record)), key=lambda one: one.sort_key):
        if event.kind == "opened":
            vectors[event.pull_request.number] = history.features(event.pull_request)
        history.observe(event)
    return vectors


def folded() -> RepositoryHistory:
    """Return the history of the probes."""
    history = RepositoryHistory("probe/harbour")
    fold(probes(), history)
    return history


def packed(content: Any) -> bytes:
    """Return a file with the right header and checksum around any content."""
    squeezed = zlib.compress(json.dumps(content).encode())
    return MAGIC + hashlib.sha256(squeezed).digest() + squeezed


def unpacked(content: bytes) -> dict[str, Any]:
    """Return the JSON of a file."""
    stored: dict[str, Any] = json.loads(zlib.decompress(content[len(MAGIC) + 32:]))
    return stored


def same(left: tuple[float, ...], right: tuple[float, ...]) -> bool:
    """Compare two vectors bit for bit, absent equal to absent."""
    return all(a == b or math.isnan(a) and math.isnan(b) for a, b in zip(left, right, strict=True))


def test_events_come_in_order_of_time_and_merged_is_not_closed_too() -> None:
    opened = probes()[0].pull_request
    landed = PullRequestRecord(opened, Outcome(merged_at=LATER, closed_at=LATER))
    dropped = PullRequestRecord(opened, Outcome(closed_at=LATER))

    assert ["opened", "merged"] == [event.kind for event in events_of(landed)]
    assert ["opened", "closed"] == [event.kind for event in events_of(dropped)]
    assert ["opened"] == [event.kind for event in events_of(PullRequestRecord(opened))]


@given(st.randoms(use_true_random=False))
@settings(max_examples=10, deadline=None)
def test_the_order_of_arrival_does_not_matter(chance: random.Random) -> None:
    at_once = [replace(record, pull_request=replace(record.pull_request, opened_at=LATER, number=100 + place))
               for place, record in enumerate(probes())]
    shuffled = probes() + at_once
    chance.shuffle(shuffled)
    one, other = fold(probes() + at_once), fold(shuffled)

    assert one.keys() == other.keys() and all(same(one[number], other[number]) for number in one)


@given(st.integers(1, 23))
@settings(max_examples=10, deadline=None)
def test_later_pull_requests_do_not_change_earlier_vectors(n: int) -> None:
    by_time = sorted(probes(), key=lambda record: (record.pull_request.opened_at, record.pull_request.number))
    fewer, all_of_them = fold(by_time[:n]), fold(by_time)

    assert all(same(fewer[number], all_of_them[number]) for number in fewer)


@given(st.booleans(), st.integers(0, 400))
@settings(max_examples=15, deadline=None)
def test_its_own_outcome_does_not_change_a_vector(is_merged: bool, days: int) -> None:
    last = max(probes(), key=lambda record: (record.pull_request.opened_at, record.pull_request.number))
    at = last.pull_request.opened_at + timedelta(days=days)
    changed = replace(last, outcome=Outcome(merged_at=at) if is_merged else Outcome(closed_at=at))
    others = [record for record in probes() if record.pull_request.number != last.pull_request.number]
    number = last.pull_request.number

    assert same(fold([*others, last])[number], fold([*others, changed])[number])


def test_features_add_nothing() -> None:
    history = folded()
    before = history.to_bytes()
    for record in probes():
        history.features(record.pull_request)

    assert before == history.to_bytes()


def test_each_pull_request_asked_for_in_a_row_gets_its_own_vector() -> None:
    history, (one, other) = folded(), [record.pull_request for record in probes()[:2]]
    in_a_row = [history.features(one), history.features(other)]

    assert same(in_a_row[1], folded().features(other))
    assert not same(*in_a_row)


def test_observing_without_asking_first_gives_the_same_history() -> None:
    history = RepositoryHistory("probe/harbour")
    for event in sorted((event for record in probes() for event in events_of(record)), key=lambda one: one.sort_key):
        history.observe(event)

    assert folded().to_bytes() == history.to_bytes()


def test_save_and_load_are_exact_and_continue_alike() -> None:
    saved = folded()
    loaded = RepositoryHistory.from_bytes(saved.to_bytes())
    later = replace(probes()[4].pull_request, number=99, opened_at=LATER)
    for history in (saved, loaded):
        history.observe(Event("opened", LATER, later))
        history.observe(Event("merged", LATER, later))

    assert saved.to_bytes() == loaded.to_bytes()
    assert same(saved.features(later), loaded.features(later))
    assert (saved.repository, saved.n_opened) == (loaded.repository, loaded.n_opened)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_altered_files_are_refused(data: st.DataObject) -> None:
    content = bytearray(folded().to_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))

    with pytest.raises(CorruptFileError):
        RepositoryHistory.from_bytes(bytes(content))


@pytest.mark.parametrize("content", [
    b"", b"no history", MAGIC, MAGIC + b"\0" * 40, packed([]), packed({}), packed({"repository": 1}),
    folded().to_bytes()[:-5], MAGIC + hashlib.sha256(b"x").digest() + b"x",
])
def test_what_is_no_history_is_refused(content: bytes) -> None:
    with pytest.raises(CorruptFileError, match="history"):
        RepositoryHistory.from_bytes(content)


def test_a_file_of_an_earlier_version_is_refused_by_name() -> None:
    content = folded().to_bytes()

    with pytest.raises(CorruptFileError, match="another version"):
        RepositoryHistory.from_bytes(content.replace(MAGIC, b"SENTINEL-HISTORY-1\n", 1))


@pytest.mark.parametrize(("field", "value"), [
    ("n_opened", -1), ("n_opened", 1.5), ("tails_unit", float("nan")), ("tails", {}), ("tails", [1]),
    ("counts", {}), ("authors", {"anna": [1]}), ("authors", {"anna": [1, 1, 1, 1, 1, [1, 2], [], []]}),
    ("authors", {"anna": [1, 1, 1, 1, 1, [1] * 24, [1] * 6, []]}), ("authors", 7),
    ("look_alikes", {"a": 1}), ("recent", [[1, 2]]), ("pending", [["x"] * 10]), ("recent", [[1.0, 2, 3, 4]] * 513),
    ("last_at", "now"), ("gaps", float("inf")), ("gaps", 10 ** 400),
])
def test_a_file_with_the_right_checksum_and_wrong_parts_is_refused(field: str, value: Any) -> None:
    with pytest.raises(CorruptFileError):
        RepositoryHistory.from_bytes(packed(unpacked(folded().to_bytes()) | {field: value}))


def test_a_file_that_unpacks_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sentinel.history.stored.MOST_BYTES", 10_000)

    with pytest.raises(CorruptFileError, match="more than"):
        RepositoryHistory.from_bytes(packed({"repository": "a" * 100_000}))


JSON_FILES = st.lists(st.fixed_dictionaries({"filename": st.text(min_size=1, max_size=40)}, optional={
    "status": st.sampled_from(["added", "removed", "renamed", "odd"]), "additions": st.integers(0, 2 ** 53),
    "deletions": st.integers(0, 10), "patch": st.text(max_size=80), "mode": st.sampled_from(["100755", "160000"]),
    "binary": st.booleans()}), max_size=6)
JSON_PULL_REQUESTS = st.fixed_dictionaries({
    "number": st.integers(1, 2 ** 53), "created_at": st.datetimes(datetime(1970, 1, 1), datetime(2099, 12, 31)).map(
        lambda at: at.isoformat())}, optional={
    "title": st.text(max_size=60), "user": st.none() | st.fixed_dictionaries({"login": st.text(max_size=10)}),
    "additions": st.integers(0, 2 ** 53), "changed_files": st.integers(0, 2 ** 53), "files": st.none() | JSON_FILES,
    "body": st.none() | st.text(max_size=60), "base": st.fixed_dictionaries({"ref": st.none() | st.text(max_size=10)}),
    "is_cross_repository": st.booleans(), "head": st.fixed_dictionaries({"ref": st.none() | st.text(max_size=10)})})


@given(st.lists(JSON_PULL_REQUESTS, max_size=8))
@settings(max_examples=80, deadline=None)
def test_any_json_that_the_parser_takes_gives_finite_or_absent_numbers(payloads: list[dict[str, Any]]) -> None:
    history = RepositoryHistory("octo/harbour")
    for payload in payloads:
        try:
            opened = parse_pull_request(payload, repository="octo/harbour").pull_request
        except RecordError:
            continue
        vector = history.features(opened)
        history.observe(Event("opened", opened.opened_at, opened))

        assert all(isinstance(value, float) and not math.isinf(value) for value in vector)
    assert RepositoryHistory.from_bytes(history.to_bytes()).to_bytes() == history.to_bytes()


def test_counts_keep_to_their_bound_and_forget_the_smallest() -> None:
    one_by_one, at_once = FadingCounts(365.0, 8), FadingCounts(365.0, 8)
    for number in range(20):
        one_by_one.add("often", 1.0)
        one_by_one.add(f"once-{number}", 0.5)
        at_once.add_each(["often"], 1.0)
        at_once.add_each([f"{number}-{place}" for place in range(20)], 0.5)
        assert max(len(one_by_one.weights), len(at_once.weights)) <= 8

    assert 20.0 == one_by_one.weights["often"] == at_once.weights["often"]


def test_a_count_halves_with_its_half_life() -> None:
    counts = FadingCounts(365.0, 8)
    year = 365 * 86_400.0
    counts.add("quay", counts.unit(40 * year))

    assert 0.5 == pytest.approx(counts.weights["quay"] / counts.unit(41 * year))


def test_surprise_grows_with_rarity_and_fades_with_time() -> None:
    tails = Tails([10.0], [(1.0,) + (0.5,) * 47])
    for number in range(500):
        tails.add("regular", [5.0 if number < 50 else 1.0])
    rare = tails.surprises("regular", [5.0], 8.0)[0]

    assert tails.surprises("regular", [1.0], 8.0)[0] < 0.1 < 1.5 < rare < tails.surprises("regular", [9.0], 8.0)[0]
    for _ in range(3_000):
        tails.add("regular", [1.0])
    assert tails.surprises("regular", [5.0], 8.0)[0] > rare
