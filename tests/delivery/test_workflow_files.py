"""What every workflow promises, read from the files; zizmor, actionlint and shellcheck look for the rest."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from delivery.image_tree import FOLDERS, SHARED
from tests.delivery.workflow_runner import Event, triggered

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / ".github/workflows").glob("*.yml"))
ON = True  # YAML 1.1 reads the key `on` as true
PINNED = re.compile(r"[\w-]+/[\w-]+@[0-9a-f]{40}|\./\.github/workflows/stage\.yml")
IN_PULL_REQUESTS = "${{ github.event_name == 'pull_request' }}"
COMMANDS = re.compile(r'make (--silent )?[a-z-]+( [A-Z]+="\$(\([^)]*\)|[A-Z]+)")*( \| tee -a "\$[A-Z_]+")?')
MAKEFILES = [ROOT / "Makefile", *sorted((ROOT / "delivery").glob("*.mk"))]


def read(path: Path) -> dict[Any, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def jobs(path: Path) -> dict[str, Any]:
    return read(path)["jobs"]


def steps(path: Path) -> list[dict[str, Any]]:
    return [step for job in jobs(path).values() for step in job.get("steps", [])]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_action_is_pinned_by_its_commit(path):
    used = [one["uses"] for one in [*steps(path), *jobs(path).values()] if "uses" in one]

    assert used and not [one for one in used if not PINNED.fullmatch(one)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_nothing_is_permitted_but_what_a_job_names(path):
    assert {} == read(path)["permissions"]
    assert not [name for name, job in jobs(path).items() if "permissions" not in job]
    assert not [name for name, job in jobs(path).items() if job["permissions"].get("contents") != "read"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_job_has_a_limit_and_a_fixed_runner(path):
    own = [job for job in jobs(path).values() if "uses" not in job]

    assert not [job for job in own if job["timeout-minutes"] > 90 or job["runs-on"] != "ubuntu-24.04"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_runs_have_a_group_and_none_that_holds_a_secret_is_cancelled_after_a_merge(path):
    group = read(path).get("concurrency")

    if "workflow_call" in read(path)[ON]:
        assert group is None  # its callers have one
    else:
        assert group["group"].startswith(path.stem)
        assert "secrets" not in str(jobs(path)) or group["cancel-in-progress"] in (False, IN_PULL_REQUESTS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_step_is_a_make_target_that_is_there(path):
    known = set(re.findall(r"^([a-z-]+)(?=[a-z -]*:)", "\n".join(file.read_text() for file in MAKEFILES), re.MULTILINE))
    commands = [step["run"] for step in steps(path) if "run" in step]

    assert not [command for command in commands if not COMMANDS.fullmatch(command)]
    assert {command.removeprefix("make ").removeprefix("--silent ").split()[0] for command in commands} <= known


@pytest.mark.parametrize("stage", FOLDERS)
def test_every_target_of_a_stage_works_on_that_stage_alone(stage):
    targets = {step["run"].removeprefix("make ").removeprefix("--silent ").split()[0]
               for step in steps(ROOT / ".github/workflows/stage.yml") if 'STAGE="$STAGE"' in step.get("run", "")}
    others = {name for one, folder in FOLDERS.items() if one != stage for name in (one, folder)}
    does = {target: dry_run(target, stage) for target in targets - {"load-test-image"}}  # that one is the scorer's

    assert {"image", "test-image", "image-sbom", "push-image", "sign-image", "publish-digest"} <= set(does)
    assert not [target for target, said in does.items() if stage not in said and FOLDERS[stage] not in said]
    assert not [target for target, said in does.items() if any(re.search(rf"\b{one}\b", said) for one in others)]


def test_bill_of_materials_that_is_attested_is_the_one_that_is_written():
    [attested] = [step["with"]["sbom-path"] for step in steps(ROOT / ".github/workflows/stage.yml")
                  if "sbom-path" in step.get("with", {})]
    [folder] = re.findall(r"delivery.sbom data-fetch .*--folder (\S+)", dry_run("image-sbom", "data-fetch"))

    assert f"{folder}/${{{{ inputs.stage }}}}.cdx.json" == attested  # the name is tested in test_images_sbom.py


def test_only_the_scorer_has_a_load_test():
    asked = {stage: jobs(ROOT / f".github/workflows/{stage}.yml")["stage"]["with"].get("load-test", False)
             for stage in FOLDERS}

    assert ["model-serving"] == [stage for stage, is_asked in asked.items() if is_asked]
    assert "names model-serving " in dry_run("load-test-image", "model-serving")


def dry_run(target: str, stage: str) -> str:
    """Return the commands of a target, without those that make what it needs."""
    done = subprocess.run(["make", "--dry-run", "--no-print-directory", target, f"STAGE={stage}", "TAG=t", "DIGEST=d"],
                          cwd=ROOT, capture_output=True, text=True, check=True)
    return "\n".join(line for line in done.stdout.splitlines() if "install" not in line)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_workflow_runs_a_stranger_s_code_with_our_rights(path):
    assert not {"pull_request_target", "workflow_run", "issue_comment"} & set(read(path)[ON])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_secrets_are_named_only_where_an_environment_guards_them(path):
    guarded = [name for name, job in jobs(path).items() if "secrets." in str(job)]

    assert not [name for name in guarded if "environment" not in jobs(path)[name]]


def test_release_runs_on_staging_only_and_never_for_a_pull_request():
    release, write = (jobs(ROOT / ".github/workflows/stage.yml")[name] for name in ("release", "write"))

    assert "github.event_name != 'pull_request' && github.ref == 'refs/heads/staging'" in release["if"]
    assert "release" in write["needs"] and "if" not in write
    assert {"group": "deploy-staging", "queue": "max"} == write["concurrency"]


@pytest.mark.parametrize("stage", FOLDERS)
def test_workflow_of_a_stage_starts_when_its_image_would_change(stage):
    path = ROOT / f".github/workflows/{stage}.yml"
    inputs = [f"{one}/x" if "." not in one else one for one in (*SHARED, FOLDERS[stage])]
    others = [f"{folder}/x" for folder in FOLDERS.values() if folder != FOLDERS[stage]]

    def starts(name: str, file: str) -> bool:
        return triggered(path, Event(name, "refs/heads/staging", "", (file,)))

    assert all(starts(name, file) for name in ("push", "pull_request") for file in inputs)
    assert not [file for file in [*others, "argo-apps/base/batch/kustomization.yaml"] if starts("push", file)]
    assert not triggered(path, Event("push", "refs/heads/main", "", tuple(inputs)))
    assert stage == jobs(path)["stage"]["with"]["stage"]


def test_check_of_a_promotion_runs_on_every_pull_request_to_main():
    """A required check behind a filter would stay pending for ever."""
    assert {"branches": ["main"]} == read(ROOT / ".github/workflows/promote.yml")[ON]["pull_request"]
    assert "if" not in jobs(ROOT / ".github/workflows/promote.yml")["promotion"]


@pytest.mark.parametrize("address", [
    "git@github.com:octo/sentinel.git", "https://github.com/octo/sentinel.git", "https://github.com/octo/sentinel/",
    "ssh://git@github.com/octo/sentinel",
])
def test_promotion_checked_on_a_laptop_wants_the_signature_that_the_workflow_makes(monkeypatch, address):
    """Without the repository's name no image would seem to be signed."""
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    for name, value in {"COUNT": "1", "KEY_0": "remote.origin.url", "VALUE_0": address}.items():
        monkeypatch.setenv(f"GIT_CONFIG_{name}", value)

    assert "=https://github.com/octo/sentinel/.github/workflows/stage.yml@" in dry_run("check-promotion", "")
