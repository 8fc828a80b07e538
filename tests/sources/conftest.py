"""The simulated GitHub on the loopback, and a reader that does what data_fetch does with pages."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from sentinel.pull_request import PullRequestRecord
from sentinel.sources.github import client as github_client
from sentinel.sources.github import open_github_at
from sentinel.sources.page import Cursor, RejectedRecord
from sentinel.sources.simulated import FaultPlan, SimulatedGitHub, make_simulated_github, serve
from tests.patience import PATIENCE_SECONDS

HARBOUR = "saltmarsh/harbour"
TOKEN = "ghp_" + "simulated0" * 4


class FakeClock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=sum(self.slept))

    def monotonic(self) -> float:
        return sum(self.slept)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


@dataclass
class Reader:
    """Reads as data_fetch does: keeps the records of a page, then its cursor."""

    github: SimulatedGitHub
    address: str
    clock: FakeClock = field(default_factory=FakeClock)
    cursors: dict[str, Cursor] = field(default_factory=dict)
    records: dict[str, PullRequestRecord] = field(default_factory=dict)
    rejected: list[RejectedRecord] = field(default_factory=list)
    totals: list[int | None] = field(default_factory=list)

    def run(self, repository: str = HARBOUR, *, max_pages: int = 1_000_000, budget_seconds: float = 1e6,
            with_files: bool = True, token: str = TOKEN, since: datetime | None = None) -> int:
        """Read up to `max_pages` pages, as if killed then; return how many records came."""
        came = 0
        with open_github_at(self.address, SecretStr(token), budget_seconds, [repository], "test:", clock=self.clock,
                            with_files=with_files, since=since) as source:
            for n_pages, page in enumerate(source.pages(self.cursors.get), start=1):
                came += len(page.records)
                self.records |= {record.pull_request.key: record for record in page.records}
                self.rejected += page.rejected
                self.totals.append(page.total)
                if page.cursor is not None:
                    self.cursors[page.repository] = page.cursor
                if n_pages == max_pages:
                    break
        return came

    @property
    def is_complete(self) -> bool:
        """Tell whether what was read is what GitHub holds, record by record."""
        return self.records == {
            record.pull_request.key: record
            for repository in self.github.repositories.values() for record in repository.records()
        }


@pytest.fixture(autouse=True)
def patient_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a machine that stands still be no silence of GitHub: the network's time-outs know no clock of ours."""
    monkeypatch.setattr(github_client, "CONNECT_SECONDS", PATIENCE_SECONDS)
    monkeypatch.setattr(github_client, "SILENCE_SECONDS", PATIENCE_SECONDS)


@pytest.fixture
def serve_github() -> Iterator[Callable[..., Reader]]:
    """Return a function that serves N pull requests, failing by plan, and returns a reader of them."""
    with ExitStack() as stack:
        def start(n_pull_requests: int = 250, plan: FaultPlan = FaultPlan()) -> Reader:
            github = make_simulated_github(TOKEN, plan, pull_requests={HARBOUR: n_pull_requests})
            return Reader(github, stack.enter_context(serve(github)))
        yield start
