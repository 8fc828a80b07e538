"""The token stays out of log lines, errors, addresses and documents, whatever GitHub answers."""

import os
import subprocess
import sys
from pathlib import Path

import orjson
import pytest
from pymongo import MongoClient

from sentinel.sources.simulated import FaultPlan, SimulatedGitHub, SimulatedRepository, serve
from sentinel.sources.simulated.api import Answer
from sentinel.sources.simulated.faults import Fault
from sentinel.sources.simulated.layouts import HARBOUR
from tests.data_fetch.conftest import TOKEN
from tests.patience import PATIENCE_SECONDS

ROOT = Path(__file__).parents[2]
PASSING = FaultPlan(by_request={1: Fault.BAD_GATEWAY, 2: Fault.SECONDARY_IN_200, 3: Fault.TRUNCATED, 4: Fault.RESET})


class Listening(SimulatedGitHub):
    """Keeps what it was asked; once `reflects`, it answers with the token itself, as a bad proxy might."""

    reflects = False

    def answer(self, method: str, target: str, body: bytes, origin: str) -> Answer:
        self.heard.append(target.encode() + body)
        if self.reflects:
            return Answer(403, orjson.dumps({"message": f"Authorization: Bearer {self.token} is not allowed"}))
        return super().answer(method, target, body, origin)


@pytest.mark.parametrize("plan, reflects, code", [
    (PASSING, False, 0), (FaultPlan(always=Fault.BAD_CREDENTIALS), False, 2), (FaultPlan(), True, 2),
    (FaultPlan(always=Fault.REDIRECT_ELSEWHERE), False, 2),
])
def test_token_is_nowhere(mongodb_uri, mongodb_database, plan, reflects, code):
    github = Listening([SimulatedRepository(HARBOUR, 7, 120)], TOKEN, plan)
    github.heard, github.reflects = [], reflects
    with serve(github) as address:
        environment = {"PATH": os.environ["PATH"], "MONGODB_URI": mongodb_uri, "GITHUB_TOKEN": TOKEN,
                       "SENTINEL_MONGODB_DATABASE": mongodb_database, "SENTINEL_GITHUB_API_URL": address}
        command = [sys.executable, "-m", "data_fetch", "--repository", HARBOUR.repository]
        ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=PATIENCE_SECONDS)
    with MongoClient(mongodb_uri) as client:
        database = client[mongodb_database]
        documents = [repr(list(database[name].find())) for name in database.list_collection_names()]

    assert (code, b"") == (ended.returncode, ended.stderr)
    assert TOKEN.encode() not in ended.stdout + b"".join(github.heard)
    assert not any(TOKEN in text for text in documents)
