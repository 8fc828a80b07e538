"""The runbook names only what is there: sections, files, make targets, schedules."""

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
RUNBOOK = ROOT / "docs/runbook.md"
MAKEFILES = [ROOT / "Makefile", *ROOT.glob("delivery/*.mk")]


def test_every_link_of_the_runbook_leads_somewhere():
    text = RUNBOOK.read_text("utf-8")
    sections = {anchor_of(heading) for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}
    links = re.findall(r"\]\(([^)]+)\)", text)
    files = [link.partition("#")[0] for link in links if link[0] not in "#h"]

    assert [] == [link for link in links if link.startswith("#") and link[1:] not in sections]
    assert [] == [name for name in files if not (RUNBOOK.parent / name).exists()]
    assert len(links) > 20


def test_every_make_target_of_the_runbook_exists():
    targets = {name for path in MAKEFILES for name in re.findall(r"^([a-z][a-z-]*):", path.read_text("utf-8"), re.M)}
    named = set(re.findall(r"\bmake ([a-z][a-z-]*)", RUNBOOK.read_text("utf-8")))

    assert {"vault-setup", "lint-delivery"} <= named
    assert set() == named - targets


def test_every_file_of_the_runbook_exists():
    named = set(re.findall(r"`((?:argo-apps|deploy|docs|vault)/[\w/.-]+)`", RUNBOOK.read_text("utf-8")))

    assert [] == [name for name in sorted(named) if not (ROOT / name).exists()]
    assert len(named) > 3


def test_every_file_and_make_target_of_the_threat_model_exists():
    text = (ROOT / "SECURITY.md").read_text("utf-8")
    files = {*re.findall(r"\]\(([\w/.-]+)\)", text), *re.findall(r"`((?:delivery|vault)/[\w/.-]+)`", text)}
    targets = set(re.findall(r"`make ([a-z-]+)`", text))

    assert [] == [name for name in sorted(files) if not (ROOT / name).exists()]
    assert [] == [name for name in sorted(targets) if not any(f"\n{name}:" in path.read_text() for path in MAKEFILES)]
    assert len(files) > 2 and "update-base" in targets


def test_the_runbook_tells_the_schedules_that_the_cron_jobs_have():
    rows = {"data-fetch": "every hour, at 5 past", "spark-preprocess": "every three hours, at 35 past",
            "ml-training": "04:15 UTC"}
    schedules = {"data-fetch": "5 * * * *", "spark-preprocess": "35 */3 * * *", "ml-training": "15 4 * * *"}

    for stage, words in rows.items():
        cron = yaml.safe_load((ROOT / f"argo-apps/base/batch/{stage}-cronjob.yaml").read_text("utf-8"))
        assert schedules[stage] == cron["spec"]["schedule"]
        assert f"| `{stage}` | CronJob | {words} |" in RUNBOOK.read_text("utf-8")


def anchor_of(heading: str) -> str:
    """Return the anchor that GitHub gives a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
