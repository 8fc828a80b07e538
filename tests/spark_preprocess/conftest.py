"""Made-up pull requests, a real embedded MongoDB server, and one run of the stage that the tests share."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sentinel.command.data_folder import DataFolder
from sentinel.command.embedded_mongo import embedded_mongo
from sentinel.mongo import open_pull_request_store
from sentinel.object_store import FolderStore
from sentinel.provenance import Provenance, find_latest_run
from sentinel.pull_request import ChangedFile, Outcome, PullRequest, PullRequestRecord
from sentinel.settings import MongoSettings
from sentinel.sources.page import Page
from tests.patience import PATIENCE_SECONDS

SIZES = {"octo/harbour": 240, "octo/pier": 60, "anna/quay": 3}


def made_up(repository: str, number: int) -> PullRequestRecord:
    """Return one made-up pull request; a few never end, many are merged long after later ones are opened."""
    opened_at = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(hours=5 * number, seconds=number % 7)
    folders = ("src", "docs", ".github/workflows", "tests")
    files = tuple(
        ChangedFile(f"{folders[(number + place) % 4]}/file{number * place % 17}.py",
                    additions=number % 31, deletions=place, patch="+x = 1\n" if number % 3 == 0 else None)
        for place in range(number % 5))
    pull_request = PullRequest(
        repository=repository, number=number, title=f"Moor boat {number} 🚢", opened_at=opened_at,
        author=None if number % 11 == 0 else f"sailor{number * number % 13}", head_ref=f"topic/{number}",
        additions=sum(file.additions for file in files), deletions=sum(file.deletions for file in files),
        changed_files=len(files), files=files if number % 9 else None)
    ended_at = opened_at + timedelta(hours=number * 37 % 400)
    outcome = (Outcome(), Outcome(closed_at=ended_at), Outcome(merged_at=ended_at, closed_at=ended_at))[number % 5 % 3]
    return PullRequestRecord(pull_request, outcome)


@pytest.fixture(scope="session")
def records() -> list[PullRequestRecord]:
    """Return the made-up pull requests of three repositories, in no order."""
    made = [made_up(repository, number) for repository, size in SIZES.items() for number in range(1, size + 1)]
    return sorted(made, key=lambda record: record.pull_request.number * 7919 % 101)


@pytest.fixture(scope="session")
def store_records(tmp_path_factory: pytest.TempPathFactory,
                  ) -> Iterator[Callable[[Sequence[PullRequestRecord]], MongoSettings]]:
    """Return what stores records in a real server of their own, which runs for the session."""
    with ExitStack() as servers:
        def store(stored: Sequence[PullRequestRecord]) -> MongoSettings:
            data = DataFolder(tmp_path_factory.mktemp("mongo"))
            data.logs.mkdir(parents=True)
            settings = MongoSettings(mongodb_uri=servers.enter_context(embedded_mongo(data, os.environ)))
            with open_pull_request_store(settings) as pull_requests:
                pull_requests.prepare()
                for start in range(0, len(stored), 100):
                    page = Page(stored[start].pull_request.repository, tuple(stored[start:start + 100]))
                    pull_requests.save_page(page)
            return settings

        yield store


@dataclass(frozen=True)
class StageRun:
    """What one run of the stage as a process left."""

    exit_code: int
    events: list[dict[str, object]]
    stderr: str
    store: FolderStore
    environment: Mapping[str, str]
    processes: set[int]  # all that were seen below the stage

    @property
    def provenance(self) -> Provenance:
        """Return the latest provenance of the store."""
        return find_latest_run(self.store)


def stage_environment(settings: MongoSettings, folder: Path, **more: str) -> dict[str, str]:
    """Return the environment of the stage."""
    return {**os.environ, "MONGODB_URI": settings.mongodb_uri.get_secret_value(),
            "SENTINEL_OBJECT_STORE_URI": f"file://{folder}",
            "PYTHONPATH": str(Path(__file__).parents[2]), "SENTINEL_PULL_REQUESTS_PER_PARTITION": "50", **more}


def run_stage(environment: Mapping[str, str], folder: Path) -> StageRun:
    """Run the stage to its end, from a folder that is no place to import from."""
    folder.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen([sys.executable, "-P", "-m", "spark_preprocess"], env=dict(environment), cwd=folder,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    seen, ended = set(), threading.Event()
    watcher = threading.Thread(target=lambda: watch(process.pid, seen, ended))
    watcher.start()
    try:
        stdout, stderr = process.communicate(timeout=PATIENCE_SECONDS)
    finally:
        process.kill()
        ended.set()
        watcher.join()
    return StageRun(process.returncode, [json.loads(line) for line in stdout.splitlines()], stderr,
                    FolderStore(f"file://{folder}", folder), environment, seen)


def watch(ancestor: int, seen: set[int], ended: threading.Event) -> None:
    """Remember every process below `ancestor`."""
    while not ended.wait(0.1):
        seen |= descendants(ancestor)


def descendants(ancestor: int) -> set[int]:
    """List the processes below `ancestor`, from Linux' /proc."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue  # it ended meanwhile
    found, level = set(), {ancestor}
    while level:
        level = {process for process, parent in parents.items() if parent in level}
        found |= level
    return found


def still_running(processes: set[int]) -> set[int]:
    """Return those that are there and no zombies."""
    running = set()
    for process in processes:
        try:
            if Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
                running.add(process)
        except OSError:
            continue
    return running
