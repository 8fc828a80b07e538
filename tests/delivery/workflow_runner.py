"""Run the workflows of a repository here: their triggers, conditions, outputs and every `run:` step, in order.

What is stood in for is the hosted side only: the checkout, the secrets of environments, the identity of a job,
and the actions that install or attest something. Concurrency groups are ignored, so what they keep apart is
tried at its worst.
"""

import ast
import fnmatch
import itertools
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.patience import PATIENCE_SECONDS

EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}", re.DOTALL)
TOKEN = re.compile(r"'[^']*'|[A-Za-z_][\w.-]*|&&|\|\||==|!=|!|\(|\)|\s+")
OPERATORS = {"&&": " and ", "||": " or ", "!": " not ", "true": "True", "false": "False"}


@dataclass(frozen=True)
class Event:
    """What happened on the hosted side."""

    name: str  # push, pull_request, workflow_dispatch
    ref: str  # refs/heads/staging, refs/pull/7/merge
    sha: str
    changed: tuple[str, ...] = ()  # files, for the paths filter
    base: str = ""  # of a pull request: the branch it goes to
    head_repository: Path | None = None  # of a pull request from a fork: where its commits are
    title: str = ""
    head_branch: str = ""

    @property
    def branch(self) -> str:
        """Return what a `branches` filter looks at."""
        return self.base or self.ref.removeprefix("refs/heads/")


@dataclass
class Step:
    """What one step did."""

    name: str
    output: str = ""
    code: int = 0
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Job:
    """What one job did; `result` is success, failure or skipped."""

    result: str
    outputs: dict[str, str] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)

    @property
    def said(self) -> str:
        """Return what all steps printed."""
        return "".join(step.output for step in self.steps)


@dataclass
class Hosted:
    """The hosted side, as far as a workflow sees it."""

    server: Path  # a bare repository
    folder: Path  # for the machines of the jobs
    secrets: Mapping[str, Mapping[str, str]]  # by environment
    branches: Mapping[str, str]  # which refs an environment lets in, as a pattern
    environment: Mapping[str, str]  # of every step: PATH, settings of the stand-ins
    prepare: Callable[[Path], None]  # called with every fresh checkout
    attested: list[str] = field(default_factory=list)
    running: list[subprocess.Popen[str]] = field(default_factory=list)
    cancelled: bool = False
    machines: Iterator[int] = field(default_factory=itertools.count)  # workflows run side by side


def triggered(path: Path, event: Event) -> bool:
    """Say whether a workflow starts at an event, by its branch and path filters."""
    triggers = _read(path)[True]  # YAML 1.1 reads the key `on` as true
    if event.name not in triggers:
        return False
    filters = triggers[event.name] or {}
    if "branches" in filters and not _matches(event.branch, filters["branches"]):
        return False
    return "paths" not in filters or any(_matches(path, filters["paths"]) for path in event.changed)


def run_workflow(hosted: Hosted, path: Path, event: Event, inputs: Mapping[str, Any] | None = None) -> dict[str, Job]:
    """Run the jobs of a workflow in order and return what each did; those of a called workflow by `job/name`."""
    workflow = _read(path)
    done: dict[str, Job] = {}
    for name, job in workflow["jobs"].items():
        contexts = _contexts(hosted, event, inputs or {}, done)
        needed = [done[one] for one in _listed(job.get("needs"))]
        if any(one.result != "success" for one in needed) or not evaluate(str(job.get("if", "true")), contexts):
            done[name] = Job("skipped")
        elif "uses" in job:
            called = run_workflow(hosted, path.parent / Path(job["uses"]).name, event, job.get("with"))
            worst = "failure" if any(one.result == "failure" for one in called.values()) else "success"
            done |= {f"{name}/{one}": result for one, result in called.items()} | {name: Job(worst)}
        else:
            done[name] = _run_job(hosted, path, workflow, job, event, contexts)
    return done


def cancel(hosted: Hosted) -> None:
    """End what runs, as the hosted side does: SIGTERM to everything a step started, and no step after it."""
    hosted.cancelled = True
    for process in hosted.running:
        os.killpg(process.pid, signal.SIGTERM)


def evaluate(text: str, contexts: Mapping[str, Any]) -> Any:
    """Evaluate an expression of the few kinds that the workflows use."""
    parts = []
    text = EXPRESSION.sub(r"\1", text)
    position = 0
    while position < len(text):
        token = TOKEN.match(text, position)
        if token is None:
            raise ValueError(f"the trial cannot read the expression {text!r} at {text[position:]!r}")
        position = token.end()
        part = token[0]
        is_name = part[0].isalpha() and part not in OPERATORS
        parts.append(repr(_look_up(part, contexts)) if is_name else OPERATORS.get(part, part))
    tree = ast.parse("".join(parts).strip(), mode="eval")
    return eval(compile(tree, text, "eval"), {"__builtins__": {}})  # of literals and operators only


def _run_job(hosted: Hosted, path: Path, workflow: Any, job: Any, event: Event, contexts: dict[str, Any]) -> Job:
    environment_name = job.get("environment", "")
    if environment_name and not fnmatch.fnmatch(event.ref, hosted.branches[environment_name]):
        refused = Step("environment", f"{event.ref} is not allowed to deploy to {environment_name}\n", 1)
        return Job("failure", steps=[refused])
    may_see = {} if event.head_repository else hosted.secrets.get(environment_name, {})
    contexts = contexts | {"secrets": may_see, "steps": {}}
    machine = _new_machine(hosted)
    base = _environment(hosted, path, job, event, machine)
    base |= _interpolated(workflow.get("env"), contexts) | _interpolated(job.get("env"), contexts)
    result = Job("success")
    for step in job["steps"]:
        if result.result != "success" or not evaluate(str(step.get("if", "true")), contexts):
            continue
        did = _run_step(hosted, step, event, contexts, machine, base)
        result.steps.append(did)
        if did.code != 0 or hosted.cancelled:
            result.result = "failure"
        if "id" in step:
            contexts["steps"][step["id"]] = {"outputs": _outputs(machine / "output")}
        (machine / "output").write_text("")
    result.outputs = _interpolated(job.get("outputs"), contexts)
    return result


def _run_step(
    hosted: Hosted, step: Any, event: Event, contexts: Mapping[str, Any], machine: Path, base: Mapping[str, str],
) -> Step:
    environment = dict(base) | _interpolated(step.get("env"), contexts)
    name = step.get("name", step.get("uses", "").partition("@")[0])
    if "uses" in step:
        with_ = _interpolated(step.get("with"), contexts)
        return Step(name, *_act(hosted, name_of(step["uses"]), with_, event, machine, base))
    process = subprocess.Popen(
        ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]), cwd=machine / "work", env=environment,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )
    hosted.running.append(process)
    output, _ = process.communicate(timeout=PATIENCE_SECONDS)
    hosted.running.remove(process)
    return Step(name, output, process.returncode, environment)


def name_of(uses: str) -> str:
    """Return the name of an action without its version."""
    return uses.partition("@")[0]


def _act(
    hosted: Hosted, action: str, given: Mapping[str, str], event: Event, machine: Path, base: Mapping[str, str],
) -> tuple[str, int]:
    if action == "actions/checkout":
        return _check_out(hosted, given, event, machine)
    if action == "actions/attest":
        if not base.get("TRIAL_IDENTITY"):
            return "no id-token: write\n", 1
        hosted.attested.append(f"{given['subject-name']}@{given['subject-digest']}")
        return "", 0
    return "", 0 if action in ("actions/setup-python", "sigstore/cosign-installer") else 1


def _check_out(hosted: Hosted, given: Mapping[str, str], event: Event, machine: Path) -> tuple[str, int]:
    """Clone at the commit; without credentials to persist, a push goes nowhere."""
    work = machine / "work"
    commands = [["git", "clone", "--quiet", str(hosted.server), str(work)],
                ["git", "-C", str(work), "fetch", "--quiet", str(event.head_repository or hosted.server), event.sha],
                ["git", "-C", str(work), "checkout", "--quiet", given.get("ref") or event.sha]]  # a branch, or a commit
    if given.get("persist-credentials") != "true" or not given.get("ssh-key"):
        commands.append(["git", "-C", str(work), "remote", "set-url", "--push", "origin", "/no/credentials"])
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            return done.stderr, 1
    hosted.prepare(work)
    return "", 0


def _environment(hosted: Hosted, path: Path, job: Any, event: Event, machine: Path) -> dict[str, str]:
    identity = f"https://github.com/octo/sentinel/.github/workflows/{path.name}@{event.ref}"
    may_sign = (job.get("permissions") or {}).get("id-token") == "write" and not event.head_repository
    return {
        **hosted.environment, "HOME": str(machine), "TRIAL_MACHINE": str(machine / "docker"),
        "TRIAL_IDENTITY": identity if may_sign else "", "CI": "true",
        "GITHUB_OUTPUT": str(machine / "output"), "GITHUB_STEP_SUMMARY": str(machine / "summary"),
        "GITHUB_REPOSITORY": "octo/sentinel", "GITHUB_REF": event.ref, "GITHUB_SHA": event.sha,
        "GITHUB_EVENT_NAME": event.name, "GITHUB_HEAD_REF": event.head_branch, "GITHUB_BASE_REF": event.base,
    }


def _contexts(hosted: Hosted, event: Event, inputs: Mapping[str, Any], done: Mapping[str, Job]) -> dict[str, Any]:
    pull_request = {"head": {"sha": event.sha, "ref": event.head_branch}, "title": event.title} if event.base else {}
    return {
        "github": {"event_name": event.name, "ref": event.ref, "sha": event.sha, "repository": "octo/sentinel",
                   "event": {"pull_request": pull_request}},
        "inputs": inputs, "secrets": {},
        "needs": {name: {"outputs": job.outputs, "result": job.result} for name, job in done.items()},
    }


def _look_up(name: str, contexts: Mapping[str, Any]) -> Any:
    value: Any = contexts
    for part in name.split("."):
        value = value.get(part, "") if isinstance(value, Mapping) else ""
    return value


def _interpolated(values: Any, contexts: Mapping[str, Any]) -> dict[str, str]:
    def replaced(value: Any) -> str:
        if isinstance(value, bool):
            return str(value).lower()
        return EXPRESSION.sub(lambda found: str(evaluate(found[1], contexts)), str(value))

    return {str(name): replaced(value) for name, value in (values or {}).items()}


def _outputs(path: Path) -> dict[str, str]:
    return dict(line.partition("=")[::2] for line in path.read_text().splitlines() if "=" in line)


def _new_machine(hosted: Hosted) -> Path:
    machine = hosted.folder / f"machine-{next(hosted.machines)}"
    shutil.rmtree(machine, ignore_errors=True)
    (machine / "docker").mkdir(parents=True)
    (machine / "output").touch()
    return machine


def _matches(text: str, patterns: list[str]) -> bool:
    return any(fnmatch.fnmatchcase(text, pattern) for pattern in patterns)


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or [])


def _read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))
