"""The hosted side of the trial: a Git server with both branches, a registry, secrets, and people who merge."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from delivery.write_digest import Release, read_release
from tests.delivery.registry_server import Registry
from tests.delivery.workflow_runner import Event, Hosted, Job, run_workflow, triggered

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(__file__).parent / "programs"
FOLDERS = {"data-fetch": "data_fetch", "spark-preprocess": "spark_preprocess", "ml-training": "ml_training",
           "model-serving": "model_serving"}
STAGES = tuple(FOLDERS)
# What the jobs need of this repository; the stages' code is made up, so that the trial is about the workflows.
TAKEN = (".github", "Makefile", "delivery", "argo-apps/base", ".dockerignore", ".gitignore", ".flake8",
         "pyproject.toml", "requirements.lock", "sentinel/__init__.py", "sentinel/errors.py")
CANARIES = {
    "registry-write": {"REGISTRY_TOKEN": "canary-of-the-registry"},
    "registry-read": {"REGISTRY_READ_TOKEN": "canary-of-reading"},
    "staging": {"STAGING_DEPLOY_KEY": "canary-of-the-key"},
    "staging-schedule": {"STAGING_DEPLOY_KEY": "canary-of-the-key"},
}
SECRETS = tuple(secret for secrets in CANARIES.values() for secret in secrets.values())
MAY_DEPLOY = {"registry-write": "refs/heads/staging", "staging": "refs/heads/staging",
              "staging-schedule": "refs/heads/main", "registry-read": "*"}
# In the place of what takes minutes, and is tried elsewhere: the stages' own tests and the images' own tests.
STAND_INS = """\
test-stage: install
\t$(BIN)/python -m flake8 --isolated --max-line-length 120 $(subst -,_,$(STAGE))
test-images load-test-image:
\tdocker run --read-only $$($(PYTHON) -m delivery.images names $(STAGE) --registry $(REGISTRY))
sbom:
\tmkdir -p build/images && echo '{}' > build/images/$(STAGE).cdx.json
"""


@dataclass
class Trial:
    """One repository on a server, with people and machines around it."""

    folder: Path
    hosted: Hosted
    registry: Registry

    def copy(self, folder: Path) -> "Trial":
        """Return the same again in another folder."""
        shutil.copytree(self.folder, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("machine-*"))
        self.git("remote", "set-url", "origin", str(folder / "server.git"), at=folder / "laptop")
        return Trial(folder, _hosted(folder, self.registry.address), self.registry)

    @property
    def laptop(self) -> Path:
        """Return the clone of the person who merges."""
        return self.folder / "laptop"

    def git(self, *arguments: str, at: Path | None = None) -> str:
        """Run git on the laptop, or elsewhere."""
        done = subprocess.run(("git", "-C", str(at or self.laptop), *arguments), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def merge(self, changes: Mapping[str, str | None], branch: str = "staging") -> Event:
        """Let a person merge changes of files (None removes one), and return the push that follows."""
        self.git("fetch", "--quiet", "origin")
        self.git("checkout", "--quiet", "--force", "-B", branch, f"origin/{branch}")
        for path, text in changes.items():
            (self.laptop / path).parent.mkdir(parents=True, exist_ok=True)
            (self.laptop / path).write_text(text or "")
            if text is None:
                (self.laptop / path).unlink()
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "Change " + ", ".join(changes))
        self.git("push", "--quiet", "origin", branch)
        return Event("push", f"refs/heads/{branch}", self.git("rev-parse", "HEAD"), tuple(changes))

    def pull_request(self, head: str = "origin/staging", **facts: object) -> Event:
        """Open a pull request to main."""
        self.git("fetch", "--quiet", "origin")
        sha = self.git("rev-parse", head)
        return Event("pull_request", "refs/pull/7/merge", sha, **{"base": "main", "head_branch": head} | facts)

    def run(self, event: Event) -> dict[str, dict[str, Job]]:
        """Run every workflow of a stage that the event starts, all at once, and return what they did."""
        started = [stage for stage in STAGES if triggered(self.workflow(stage), event)]
        with ThreadPoolExecutor(len(STAGES)) as pool:
            done = pool.map(lambda stage: run_workflow(self.hosted, self.workflow(stage), event), started)
            return dict(zip(started, done))

    def again(self, stage: str) -> dict[str, Job]:
        """Start a stage's workflow by hand on what staging is now."""
        sha = self.git("rev-parse", "refs/heads/staging", at=self.hosted.server)
        return run_workflow(self.hosted, self.workflow(stage), Event("workflow_dispatch", "refs/heads/staging", sha))

    def promote(self, event: Event) -> Job:
        """Run the check of a promotion."""
        assert triggered(self.workflow("promote"), event)
        return run_workflow(self.hosted, self.workflow("promote"), event)["promotion"]

    def workflow(self, name: str) -> Path:
        """Return the file of a workflow."""
        return self.laptop / ".github/workflows" / f"{name}.yml"

    def releases(self, branch: str = "staging") -> dict[str, Release | None]:
        """Return what the manifests of a branch on the server run."""
        shown = self.folder / "shown"
        shutil.rmtree(shown, ignore_errors=True)
        self.git("clone", "--quiet", "--branch", branch, str(self.hosted.server), str(shown), at=self.folder)
        return {stage: read_release(shown, stage) for stage in STAGES}

    def calls(self, program: str) -> list[str]:
        """Return with what a program was called since last asked for it."""
        path = Path(self.hosted.environment["TRIAL_CALLS"])
        lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join(line for line in lines if not line.startswith(f"{program} ")))
        return [line.strip() for line in lines if line.startswith(f"{program} ")]

    def built(self) -> list[str]:
        """Return the stages whose images were built since last asked."""
        return sorted(re.sub(r".*/([a-z-]+):.*", r"\1", name) for name in self.calls("docker build"))


def begin(folder: Path, registry: Registry) -> Trial:
    """Set everything up; nothing is released yet."""
    (folder / "signatures").mkdir()
    (folder / "calls").touch()
    for name in ("python", "python3"):  # the second is what the stand-ins begin with
        _write_python(folder / "python/bin" / name)
    made = Trial(folder, _hosted(folder, registry.address), registry)
    _found(made)
    return made


def _hosted(folder: Path, registry: str) -> Hosted:
    environment = {
        "PATH": f"{PROGRAMS}:{folder / 'python/bin'}:{os.environ['PATH']}",
        "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1",
        "REGISTRY": f"{registry}/sentinel", "RELEASE": str(folder / "python"), "PYTHON": sys.executable,
        "TRIAL_CALLS": str(folder / "calls"), "TRIAL_SIGNATURES": str(folder / "signatures"),
        "TRIAL_HANGS": str(folder / "hangs"), "TRIAL_HANG": "", "GIT_CONFIG_GLOBAL": "/dev/null",
    }
    return Hosted(folder / "server.git", folder, CANARIES, MAY_DEPLOY, environment,
                  lambda checkout: _give_python(checkout, folder / "python"))


def _found(made: Trial) -> None:
    """Make the repository with both branches."""
    laptop = made.laptop
    for path in TAKEN:
        source, target = ROOT / path, laptop / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    for folder in FOLDERS.values():
        (laptop / folder).mkdir()
        (laptop / folder / "Dockerfile").write_text("FROM scratch\n")
        (laptop / folder / "__main__.py").write_text('"""Do nothing."""\n')
    (laptop / "delivery/zz_trial.mk").write_text(STAND_INS)
    made.git("init", "--quiet", "--bare", "--initial-branch", "main", str(made.hosted.server), at=made.folder)
    made.git("init", "--quiet", "--initial-branch", "main")
    made.git("config", "user.name", "ada")
    made.git("config", "user.email", "ada@example.org")
    made.git("add", "--all")
    made.git("commit", "--quiet", "--message", "Begin")
    made.git("remote", "add", "origin", str(made.hosted.server))
    made.git("push", "--quiet", "origin", "main", "main:staging")


def _give_python(checkout: Path, python: Path) -> None:
    """Stand in for what `make` installs: the environment that runs this test, newer than any lock."""
    for installed in (python / ".installed", python / "bin/.installed"):
        installed.touch()
    (checkout / ".venv").symlink_to(python)


def _write_python(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    path.chmod(0o755)
