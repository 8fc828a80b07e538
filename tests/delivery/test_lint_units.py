"""The systemd units: what runs, when and as whom; systemd itself says whether they are well-formed and shut in."""

import configparser
import re
import shutil
from pathlib import Path

import pytest
import yaml

from delivery.lint_units import check_units

ROOT = Path(__file__).parents[2]
UNITS = ROOT / "deploy/systemd"
STAGES = ("data-fetch", "spark-preprocess", "ml-training", "model-serving")
TIMES = {"*-*-* *:{minute}:00 UTC": r"(?P<minute>\d+) \* \* \* \*",
         "*-*-* 00/{step}:{minute}:00 UTC": r"(?P<minute>\d+) \*/(?P<step>\d+) \* \* \*",
         "*-*-* {hour}:{minute}:00 UTC": r"(?P<minute>\d+) (?P<hour>\d+) \* \* \*"}

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze")


@needs_systemd
def test_systemd_finds_nothing_wrong_with_the_units(tmp_path):
    assert [] == list(check_units(UNITS, tmp_path))


@needs_systemd
@pytest.mark.parametrize("before, after, tool", [
    ("Restart=on-failure", "Restart=perhaps", "systemd-verify"),
    ("User=sentinel", "User=root", "systemd-security"),
    ("CapabilityBoundingSet=\n", "", "systemd-security"),
])
def test_a_broken_or_open_unit_is_found(tmp_path, before, after, tool):
    folder = tmp_path / "units"
    folder.mkdir()
    text = (UNITS / "sentinel-data-fetch.service").read_text("utf-8")
    (folder / "sentinel-data-fetch.service").write_text(text.replace(before, after), "utf-8")
    (tmp_path / "root").mkdir()

    assert {tool} == {one.tool for one in check_units(folder, tmp_path / "root")}


@pytest.mark.parametrize("stage", STAGES)
def test_a_unit_runs_its_stage_and_is_not_repeated_where_a_person_is_needed(stage):
    unit = read_unit(f"sentinel-{stage}.service")["Service"]

    assert unit["ExecStart"].endswith(f" -m {stage.replace('-', '_')}")
    assert "2" in unit["RestartPreventExitStatus"].split()
    assert "75" not in unit["RestartPreventExitStatus"].split()
    assert "sentinel" == unit["User"]


@pytest.mark.parametrize("stage", STAGES[:3])
def test_a_timer_has_the_times_of_the_cron_job(stage):
    cron = yaml.safe_load((ROOT / f"argo-apps/base/batch/{stage}-cronjob.yaml").read_text("utf-8"))["spec"]

    assert calendar_of(cron["schedule"]) == read_unit(f"sentinel-{stage}.timer")["Timer"]["OnCalendar"]
    assert "Etc/UTC" == cron["timeZone"]


def calendar_of(schedule: str) -> str:
    """Return a cron schedule as systemd's calendar has it; raises StopIteration for a form that none of ours has."""
    calendar, found = next((calendar, found) for calendar, pattern in TIMES.items()
                           if (found := re.fullmatch(pattern, schedule)))
    return calendar.format(**{name: value if name == "step" else f"{int(value):02}"
                              for name, value in found.groupdict().items()})


def read_unit(name: str) -> configparser.RawConfigParser:
    """Read a unit; where a key is repeated, the last one counts here."""
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str
    unit.read_string((UNITS / name).read_text("utf-8"))
    return unit
