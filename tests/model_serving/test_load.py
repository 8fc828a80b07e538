"""The load test itself: a real locust against a real scorer, and the gate at its end."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from model_serving.settings import ServingSettings
from tests.model_serving.running_scorer import RunningScorer
from tests.patience import PATIENCE_SECONDS

LOCUST = (sys.executable, "-m", "locust", "-f", "model_serving/locustfile.py", "--headless", "--users", "4",
          "--spawn-rate", "4", "--run-time", "2s", "--only-summary")
LIMITS = {"SENTINEL_LOAD_P99_MILLISECONDS": "60000", "SENTINEL_LOAD_REQUESTS_PER_SECOND": "0",
          "SENTINEL_LOAD_LEAST_REQUESTS": "1"}


@pytest.fixture
def running(settings: ServingSettings, tmp_path: Path) -> Iterator[RunningScorer]:
    """Return a scorer that serves its last good copy."""
    scorer = RunningScorer(settings, tmp_path)
    yield scorer
    scorer.kill()


def load(address: str, **limits: str) -> subprocess.CompletedProcess[str]:
    """Run locust for two seconds."""
    return subprocess.run([*LOCUST, "--host", address], env={**os.environ, **LIMITS, **limits}, capture_output=True,
                          text=True, timeout=PATIENCE_SECONDS)


def test_the_mix_gets_right_answers_and_a_missed_limit_fails(running: RunningScorer) -> None:
    kept = load(running.address)
    missed = load(running.address, SENTINEL_LOAD_LEAST_REQUESTS="1000000")

    assert 0 == kept.returncode, kept.stdout + kept.stderr
    assert "kept   share of errors: 0 " in kept.stdout
    assert 1 == missed.returncode
    assert "MISSED requests" in missed.stdout


def test_a_scorer_that_does_not_answer_fails() -> None:
    assert 1 == load("http://127.0.0.1:9").returncode
