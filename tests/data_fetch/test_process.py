"""`python -m data_fetch` as a process: exit codes, the closing line, and ends at any moment."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest

from sentinel.mongo import open_pull_request_store
from sentinel.settings import MongoSettings
from sentinel.sources.jsonl import PAGE_RECORDS
from sentinel.sources.simulated import FaultPlan
from tests.data_fetch.conftest import TOKEN
from tests.patience import PATIENCE_SECONDS

ROOT = Path(__file__).parents[2]


def lines(first: int, last: int) -> bytes:
    base = {"title": "Mend", "created_at": "2026-03-02T09:30:00Z",
            "base": {"ref": "main", "repo": {"full_name": "octo/harbour"}}}
    return b"".join(orjson.dumps({"number": number, **base}) + b"\n" for number in range(first, last + 1))


class Fetch:
    """Starts data_fetch and looks at what it stored."""

    def __init__(self, uri: str, database: str) -> None:
        self.settings = MongoSettings(mongodb_uri=uri, mongodb_database=database)
        self._environment = {"PATH": os.environ["PATH"], "MONGODB_URI": uri, "SENTINEL_MONGODB_DATABASE": database}

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-m", "data_fetch", *arguments], cwd=ROOT,
                                env=self._environment | environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def run(self, *arguments: str) -> tuple[int, dict]:
        process = self.start(*arguments)
        output, _ = process.communicate(timeout=PATIENCE_SECONDS)
        return process.returncode, orjson.loads(output.splitlines()[-1])

    def n_stored(self) -> int:
        with open_pull_request_store(self.settings) as store:
            return sum(1 for _ in store.content_hashes())

    def hashes(self) -> set[tuple[str, str, str]]:
        with open_pull_request_store(self.settings) as store:
            return set(store.content_hashes())

    def wait_until_stored(self, count: int) -> None:
        patience = time.monotonic() + PATIENCE_SECONDS
        while self.n_stored() < count:
            assert time.monotonic() < patience, f"{self.n_stored()} are stored, expected {count}"
            time.sleep(0.05)

    @contextmanager
    def stuck_after_one_page(self, pipe: Path) -> Iterator[subprocess.Popen[bytes]]:
        """Yield a process that has stored one page and waits for more of an endless source."""
        os.mkfifo(pipe)
        process = self.start("--source", f"jsonl:{pipe}")
        with pipe.open("wb") as writer:
            # Beyond what the reader buffers, so that the first page is complete.
            writer.write(lines(1, PAGE_RECORDS))
            writer.flush()
            self.wait_until_stored(PAGE_RECORDS)
            yield process
            process.communicate(timeout=PATIENCE_SECONDS)


@pytest.fixture
def fetch(mongodb_uri, mongodb_database):
    return Fetch(mongodb_uri, mongodb_database)


def test_closing_line_counts_everything(fetch, tmp_path):
    (tmp_path / "prs.jsonl").write_bytes(lines(1, 3))

    code, facts = fetch.run("--source", f"jsonl:{tmp_path}", "--source", f"jsonl:{tmp_path}/prs.jsonl")

    assert (0, "data_fetch.finished") == (code, facts["event"])
    assert (2, 2, 3, 3) == (facts["sources"], facts["pages"], facts["new"], facts["unchanged"])


@pytest.mark.parametrize("arguments, code, said", [
    ((), 2, "SENTINEL_SOURCES (not set)"), (("--source", "jsonl:missing"), 2, "there is no such file"),
    (("--source", "prs.jsonl"), 2, "github:OWNER/NAME"),
])
def test_what_a_person_must_fix_is_exit_code_2(fetch, arguments, code, said):
    seen, facts = fetch.run(*arguments)

    assert code == seen == facts["exit_code"]
    assert said in facts["text"]


@pytest.mark.parametrize("number, code", [(signal.SIGTERM, 75), (signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_run_that_was_ended_is_completed_by_the_next(fetch, tmp_path, number, code):
    with fetch.stuck_after_one_page(tmp_path / "endless.jsonl") as process:
        process.send_signal(number)

    assert (code, PAGE_RECORDS) == (process.returncode, fetch.n_stored())

    (tmp_path / "prs.jsonl").write_bytes(lines(1, PAGE_RECORDS + 7))
    seen, facts = fetch.run("--source", f"jsonl:{tmp_path}/prs.jsonl")

    assert (0, 7, PAGE_RECORDS) == (seen, facts["new"], facts["unchanged"])
    assert PAGE_RECORDS + 7 == len(fetch.hashes())


def test_signal_while_github_lets_wait_ends_the_run_at_once(fetch, serve_github):
    """Readers wait in threads of their own; the pages that came are stored."""
    _, address = serve_github({"saltmarsh/ferry": 300, "saltmarsh/pier": 300}, FaultPlan(points=3))
    process = fetch.start("--repository", "saltmarsh/ferry", "--repository", "saltmarsh/pier", GITHUB_TOKEN=TOKEN,
                          SENTINEL_GITHUB_API_URL=address, SENTINEL_GITHUB_BUDGET_SECONDS="9000")
    waiting = next(line for line in process.stdout if b"github.waiting" in line)
    fetch.wait_until_stored(100)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PATIENCE_SECONDS)  # an hour's wait is far longer

    assert 3000 < orjson.loads(waiting)["seconds"] < 3700
    assert 75 == process.returncode
    assert 100 <= fetch.n_stored() < 600
