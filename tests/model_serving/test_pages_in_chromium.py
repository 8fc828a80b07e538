"""The pages in a real browser: axe's rules, the content security policy, and no sideways scrolling.

Needs Debian's chromium, node, and `npm install --prefix build/browser axe-core playwright-core`.
"""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from model_serving.settings import ServingSettings
from tests.model_serving.made_up_harbour import HARBOUR, ODD_NUMBER
from tests.model_serving.running_scorer import RunningScorer

CHROMIUM, MODULES = Path("/usr/bin/chromium"), Path("build/browser")
PATHS = ("/", f"/?repository={HARBOUR}", f"/pull-request/{HARBOUR}/{ODD_NUMBER}", "/api", "/?search=nothing+like+this")

pytestmark = [
    pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium here: apt-get install chromium"),
    pytest.mark.skipif(not (MODULES / "node_modules/axe-core").exists(), reason=f"no axe-core in {MODULES}"),
]


@pytest.fixture
def running(settings: ServingSettings, tmp_path: Path) -> Iterator[RunningScorer]:
    """Return a scorer that serves its last good copy."""
    scorer = RunningScorer(settings, tmp_path)
    yield scorer
    scorer.kill()


def test_pages_break_no_grave_rule_in_light_and_dark_wide_and_on_a_phone(running: RunningScorer) -> None:
    script = Path(__file__).with_name("check_pages.mjs")

    looked = subprocess.run(["node", script, MODULES.resolve(), running.address, *PATHS], capture_output=True,
                            text=True, timeout=300)

    assert 0 == looked.returncode, looked.stderr[-3_000:]
    assert [] == json.loads(looked.stdout)
