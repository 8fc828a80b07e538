"""Each linter's gate is seen to turn red, and suppressions silence only what they name."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from delivery.lint_findings import Finding, Suppression, judge, read_suppressions
from delivery.lint_images import check_dockerfiles
from delivery.lint_workflows import check_by_zizmor, check_schema, check_scripts, run_blocks
from sentinel.errors import CorruptFileError

ROOT = Path(__file__).parents[2]
FINDING = Finding("hadolint", "DL3006", "data_fetch/Dockerfile:1", "Always tag the version")
ACCEPTED = Suppression("hadolint", "DL3006", "data_fetch/*", "the base is given as an argument", date(2026, 11, 22))
WORKFLOW = """\
name: trial
on: {pull_request: {}}
permissions: {}
concurrency: {group: trial, cancel-in-progress: true}
jobs:
  trial:
    name: trial
    runs-on: ubuntu-24.04
    timeout-minutes: 5
    steps:
      - run: STEP
"""


def test_what_is_there_has_no_finding_in_its_scripts_and_dockerfiles(capsys):
    findings = [*check_scripts(ROOT), *check_dockerfiles(sorted(ROOT.glob("*/Dockerfile")))]

    assert 0 == judge("what is there", findings, ["bash", "shellcheck", "expression", "hadolint"]), \
        capsys.readouterr().err
    assert len(run_blocks(ROOT)) > 10


@pytest.mark.parametrize("step, tool, check", [
    ("if true; then echo", "bash", "syntax"),
    ("cd $GITHUB_WORKSPACE", "shellcheck", "SC2086"),
    ("echo ${{ github.event.pull_request.title }}", "expression", "in-run"),
])
def test_a_bad_step_is_found(tmp_path, step, tool, check):
    plant_workflow(tmp_path, step)

    assert (tool, check) in {(one.tool, one.check) for one in check_scripts(tmp_path)}


def test_a_good_step_is_no_finding(tmp_path):
    plant_workflow(tmp_path, 'make test TITLE="$TITLE"')

    assert [] == list(check_scripts(tmp_path))


@pytest.mark.parametrize("before, after, check", [
    ("permissions: {}\n", "", "excessive-permissions"),
    ("- run: STEP", "- uses: actions/checkout@v5", "unpinned-uses"),
    ("pull_request: {}", "pull_request_target: {}", "dangerous-triggers"),
    ("- run: STEP", "- uses: actions/checkout@v5 # zizmor: ignore[unpinned-uses]", "unpinned-uses"),
])
def test_a_workflow_that_trusts_too_much_is_found(tmp_path, before, after, check):
    plant_workflow(tmp_path, "true", before, after)

    assert check in {one.check for one in check_by_zizmor(tmp_path)}


def test_a_misspelt_key_of_a_workflow_is_found(tmp_path):
    plant_workflow(tmp_path, "true", "timeout-minutes", "timeout-minute")

    assert any("timeout-minute" in one.text for one in check_schema(tmp_path))


@pytest.mark.parametrize("line, check", [
    ("FROM python", "DL3006"), ("FROM python:3.11-slim\nRUN apt-get install git", "DL3008"),
    ("# hadolint ignore=DL3006\nFROM python", "DL3006"),
])
def test_a_bad_dockerfile_is_found_whatever_its_comments_say(tmp_path, line, check):
    (tmp_path / "Dockerfile").write_text(line + "\n", "utf-8")

    assert check in {one.check for one in check_dockerfiles([tmp_path / "Dockerfile"])}


@pytest.mark.parametrize("findings, suppressions, code", [
    ([], [], 0), ([FINDING], [], 1), ([FINDING], [ACCEPTED], 0), ([], [ACCEPTED], 1),
    ([Finding("hadolint", "DL3006", "ml_training/Dockerfile:1", "")], [ACCEPTED], 1),
    ([Finding("hadolint", "DL3008", "data_fetch/Dockerfile:1", "")], [ACCEPTED], 1),
    ([FINDING], [replace(ACCEPTED, text="Pin *")], 1),
])
def test_only_what_is_accepted_passes_and_only_as_long_as_it_is_needed(findings, suppressions, code):
    assert code == judge("trial", findings, ["hadolint"], suppressions)


def test_suppressions_of_tools_that_did_not_run_are_left_alone():
    assert 0 == judge("trial", [], ["zizmor"], [ACCEPTED])


def test_every_suppression_has_a_reason_and_a_date():
    assert all(one.since <= date.today() for one in read_suppressions())


@pytest.mark.parametrize("entry", [
    "{tool: zizmor, check: a, where: b, reason: it is wrong here}",
    "{tool: zizmor, check: a, where: b, reason: no, since: 2026-11-22}",
    "{tool: zizmor, check: a, where: b, reason: it is wrong here, since: lately}",
])
def test_a_suppression_without_a_reason_or_a_date_is_refused(tmp_path, entry):
    (tmp_path / "suppressions.yaml").write_text(f"- {entry}\n", "utf-8")

    with pytest.raises(CorruptFileError):
        read_suppressions(tmp_path / "suppressions.yaml")


def plant_workflow(folder: Path, step: str, before: str = "", after: str = "") -> None:
    """Write a workflow with one step, changed in one place."""
    path = folder / ".github/workflows/trial.yml"
    path.parent.mkdir(parents=True)
    path.write_text(WORKFLOW.replace(before, after).replace("STEP", step), "utf-8")
