"""Pull requests that no pipeline likes go through fetching, Spark and the scorer; the good ones are all there."""

import orjson
import pytest
from pymongo import MongoClient

from tests.chaos.processes import Stage
from tests.chaos.test_preprocessing import read

pytestmark = pytest.mark.chaos
HARBOUR, N_GOOD = "octo/harbour", 400
BASE = {"title": "Mend", "created_at": "2026-03-02T09:30:00Z", "base": {"ref": "main", "repo": {"full_name": HARBOUR}}}


def good(number: float, **changes: object) -> bytes:
    return orjson.dumps({**BASE, "number": number, **changes}) + b"\n"


# Odd, and pull requests all the same: stored, and given features.
ODD = {
    501: good(501, body="x" * 10_485_760),
    502: good(502, title="NUL \x00 within", user={"login": "\x00", "type": "User"}),
    503: good(503, additions=2 ** 31),
    504: good(504, title="\u202egnp.exe" * 1_000),
    505: good(505, files=[{"filename": "a" * 70_000, "status": "modified", "additions": 1, "deletions": 0}]),
}
# What must be kept apart, with a reason.
BAD = (
    good(601)[:-2] + b', "title": "\\ud800 alone"}\n', good(602)[:-2] + b', "additions": NaN}\n',
    good(603, additions=-5), good(604.5), good(605, created_at=12), good(606, files="many"),
    good(-7), b"\x00\xff\xfe\n", b"[]\n", good(610, base=None), good(611, changed_files="3"),
)


def test_poisoned_lines_are_kept_apart_and_the_good_ones_stored(mongo, mongodb_database, environment, tmp_path, objects,
                                                                seen):
    path = tmp_path / "pull_requests.jsonl"
    path.write_bytes(b"".join([good(number) for number in range(1, N_GOOD + 1)] + [*ODD.values(), *BAD]))

    fetched = Stage("data_fetch", environment, tmp_path / "runs", "--source", f"jsonl:{path}").wait()
    preprocessed = Stage("spark_preprocess", environment, tmp_path / "runs").wait()

    expected = {(HARBOUR, number) for number in [*range(1, N_GOOD + 1), *ODD]}
    rows = read(objects)[1]
    seen(good=len(expected), lost=len(expected - set(rows)), duplicates=rows.total() - len(rows),
         kept_apart=fetched.last.get("rejected"), of=len(BAD), exit=[fetched.exit_code, preprocessed.exit_code])
    assert (0, len(BAD)) == (fetched.exit_code, fetched.last["rejected"]), fetched.output[-2000:]
    assert (0, expected) == (preprocessed.exit_code, set(rows)), preprocessed.output[-2000:]


def test_documents_poisoned_in_mongodb_are_left_out_and_counted(mongo, mongodb_database, environment, tmp_path, objects,
                                                                seen):
    path = tmp_path / "pull_requests.jsonl"
    path.write_bytes(b"".join(good(number) for number in range(1, N_GOOD + 1)))
    Stage("data_fetch", environment, tmp_path / "runs", "--source", f"jsonl:{path}").wait()
    poison = [{"created_at": None}, {"created_at": "yesterday"}, {"additions": -1}, {"files": 7},
              {"title": ["Mend"]}, {"changed_files": "3"}, {"number": 1.5}]
    with MongoClient(mongo.uri) as client:
        stored = client[mongodb_database]["pull_requests"]
        for number, change in enumerate(poison, start=1):
            stored.update_one({"_id": f"{HARBOUR}#{number}"}, {"$set": change}, bypass_document_validation=True)

    ended = Stage("spark_preprocess", environment, tmp_path / "runs").wait()

    rows = read(objects)[1]
    expected = {(HARBOUR, number) for number in range(len(poison) + 1, N_GOOD + 1)}
    seen(exit=ended.exit_code, lost=len(expected - set(rows)), rejected=ended.last.get("rejected"))
    assert (0, expected) == (ended.exit_code, set(rows)), ended.output[-3000:]
    assert len(poison) == sum(ended.last["rejected"].values())
