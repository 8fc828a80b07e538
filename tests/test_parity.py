"""Real pull requests by three roads, Spark, a fold in this process, and HTTP: the same to the last bit.

Real records are not kept here: `make test-parity DATA=FILE.jsonl.gz` names them, of one repository.
"""

import gzip
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import numpy as np
import pyarrow.parquet
import pytest

from model_serving.answers import DIGITS, reason_json
from sentinel.command.data_folder import DataFolder
from sentinel.command.ports import free_port
from sentinel.command.verdicts import read_champions_verdicts
from sentinel.features import FEATURE_NAMES
from sentinel.history import RepositoryHistory, events_of
from sentinel.model import AnomalyModel
from sentinel.object_store import FolderStore
from sentinel.provenance import find_latest_run
from sentinel.pull_request import parse_pull_request
from sentinel.verdict import make_verdicts
from tests.command.processes import wait_until
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.parity
ROOT = Path(__file__).parent.parent
MOST = 2_000  # the last lines of the file
TEN_YEARS = timedelta(days=3_653)


@dataclass(frozen=True)
class Roads:
    """What the stages left and serve, and what a fold in this process makes of the same records."""

    store: FolderStore
    address: str
    model: AnomalyModel
    records: list[bytes]
    history: RepositoryHistory  # after the last event
    vectors: dict[int, tuple[float, ...]]  # by number


@pytest.fixture(scope="module")
def roads(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Roads]:
    """Run the four stages on the records and serve the scorer; fold the same records here."""
    name = os.environ.get("SENTINEL_PARITY_DATA")
    if not name:
        pytest.skip("no real pull requests are named; `make test-parity DATA=FILE.jsonl.gz`")
    with gzip.open(name) as lines:
        records = list(lines)[-MOST:]
    folder = tmp_path_factory.mktemp("parity")
    (folder / "records.jsonl").write_bytes(b"".join(records))
    with served(folder) as data:
        store = FolderStore(data.object_store_uri, data.path / "objects")
        model = AnomalyModel.load(next(data.path.rglob("model.onnx")))
        yield Roads(store, data.scorer_address.read_text(), model, records, *fold(records))


@contextmanager
def served(folder: Path) -> Iterator[DataFolder]:
    """Run `sentinel run` on the records of `folder` until the scorer is served; stop it at the end."""
    data, port = DataFolder(folder / "data"), free_port()
    command = [sys.executable, "-m", "sentinel.command", "run", "--source", f"jsonl:{folder / 'records.jsonl'}",
               "--port", str(port), "--data", str(data.folder)]
    with open(folder / "output.txt", "wb") as output:
        runner = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output)
    try:
        wait_until(lambda: data.scorer_address.exists() or runner.poll() is not None)
        assert runner.poll() is None, (folder / "output.txt").read_text()[-2_000:]
        yield data
    finally:
        runner.send_signal(signal.SIGTERM)
        runner.wait()


def test_spark_and_a_plain_fold_give_the_same_features(roads):
    provenance = find_latest_run(roads.store)
    [part] = [pyarrow.parquet.read_table(BytesIO(roads.store.get_bytes(name))) for name in provenance.parts]
    rows = zip(*(part[name].to_pylist() for name in FEATURE_NAMES))
    by_spark = dict(zip(part["number"].to_pylist(), rows))

    assert MOST == len(by_spark)
    assert {number: bits(vector) for number, vector in roads.vectors.items()} == {
        number: bits(row) for number, row in by_spark.items()}


def test_spark_and_a_plain_fold_leave_the_same_history(roads):
    provenance = find_latest_run(roads.store)

    assert roads.history.to_bytes() == roads.store.get_bytes(provenance.history_name(roads.history.repository))


def test_stored_scores_are_those_of_a_plain_fold(roads):
    verdicts = read_champions_verdicts(roads.store)
    scores = roads.model.score(np.array(list(roads.vectors.values()))).scores.tolist()

    assert dict(zip(roads.vectors, scores)) == {
        number: verdicts.find(roads.history.repository, number).score for number in roads.vectors}


def test_every_answer_over_http_is_that_of_a_plain_fold(roads):
    """Each is asked about again as if it were opened now: the served history is the one at the end."""
    for record in roads.records:
        asked = later(json.loads(record))
        request = Request(f"{roads.address}/score", json.dumps(asked).encode(), {"Content-Type": "application/json"})
        with urlopen(request, timeout=PATIENCE_SECONDS) as response:
            answer = json.loads(response.read())

        expected = told_by_a_plain_fold(roads, asked)
        assert expected == {name: answer[name] for name in expected}


def fold(records: list[bytes]) -> tuple[RepositoryHistory, dict[int, tuple[float, ...]]]:
    """Return the history of all records, and the vector of each as it was opened, by number."""
    parsed = [parse_pull_request(json.loads(record)) for record in records]
    history, vectors = RepositoryHistory(parsed[0].pull_request.repository), {}
    for event in sorted((event for record in parsed for event in events_of(record)), key=lambda one: one.sort_key):
        if event.kind == "opened":
            vectors[event.pull_request.number] = history.features(event.pull_request)
        history.observe(event)
    return history, vectors


def later(payload: dict[str, Any]) -> dict[str, Any]:
    """Return a record as if it had been opened after all the others."""
    opened_at = datetime.fromisoformat(payload["created_at"]) + TEN_YEARS
    return {**payload, "created_at": opened_at.isoformat(), "merged_at": None, "closed_at": None}


def told_by_a_plain_fold(roads: Roads, payload: dict[str, Any]) -> dict[str, Any]:
    """Return the numbers of an answer, from the history of this process."""
    opened = parse_pull_request(payload).pull_request
    [verdict] = make_verdicts(roads.model, [opened.repository], [opened.number], [not roads.history.is_warm],
                              np.array([roads.history.features(opened)]))
    return {
        "number": verdict.number, "score": round(verdict.score, DIGITS),
        "percentile": round(verdict.percentile, DIGITS), "threshold": round(verdict.threshold, DIGITS),
        "is_unusual": verdict.is_unusual, "warm_up": verdict.warm_up,
        "reasons": [reason_json(reason) for reason in verdict.reasons],
    }


def bits(vector: Iterable[float]) -> bytes:
    """Return the very bits of some numbers; every absent one has the same."""
    return np.array([np.nan if number is None or number != number else number for number in vector]).tobytes()
