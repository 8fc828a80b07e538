"""The OpenAPI document holds: schemathesis asks a running scorer what the document allows, and what it forbids."""

import os
import subprocess
import sys
from pathlib import Path

from pydantic import SecretStr

from model_serving.settings import ServingSettings
from sentinel.settings import environment_of
from tests.model_serving.conftest import TOKEN
from tests.model_serving.running_scorer import RunningScorer

CONFIG = Path(__file__).with_name("schemathesis.toml")
EXAMPLES = os.environ.get("SENTINEL_CONTRACT_EXAMPLES", "3")
RELOAD = "/model/reload"  # starts MLflow each time; it has tests of its own


def test_every_answer_is_one_that_the_document_describes(settings: ServingSettings, tmp_path: Path) -> None:
    scorer = RunningScorer(settings.model_copy(update={"api_token": SecretStr(TOKEN)}), tmp_path)
    try:
        found = subprocess.run(
            [Path(sys.executable).with_name("st"), "--config-file", CONFIG, "run", f"{scorer.address}/openapi.json",
             "--max-examples", EXAMPLES, "--phases", "examples,coverage,fuzzing", "--seed", "7",
             "--exclude-path", RELOAD, "--header", f"Authorization: Bearer {TOKEN}", "--workers", "1", "--no-color",
             "--generation-database", "none"],
            cwd=tmp_path, env={**os.environ, **environment_of(settings)}, capture_output=True, text=True, timeout=3_000)
    finally:
        scorer.kill()

    assert 0 == found.returncode, found.stdout[-6_000:] + found.stderr[-2_000:]
