"""Check the workflows: schema, actionlint, zizmor, and every `run:` block by bash and shellcheck.

    python -m delivery.lint_workflows [FOLDER]     (needs build/bin/actionlint; the rest comes with `make install`)
"""

import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from jsonschema.validators import validator_for
from ruamel.yaml import YAML

from delivery.lint_findings import Finding, judge, run

ACTIONLINT = Path("build/bin/actionlint")
PROGRAMS = Path(sys.executable).parent  # where pip puts the linters' commands
TOOLS = ("github-workflows", "actionlint", "zizmor", "bash", "shellcheck", "expression")
EXPRESSION = re.compile(r"\$\{\{.*?\}\}", re.DOTALL)
SHELLS = {"bash": "bash", "sh": "sh", "bash --noprofile --norc -eo pipefail {0}": "bash"}


@dataclass(frozen=True)
class RunBlock:
    """The shell lines of one step, or of one step of a composite action."""

    where: str  # "data-fetch.yml: build, step 3"
    shell: str
    script: str


def run_blocks(folder: Path) -> list[RunBlock]:
    """Return every `run:` of the workflows and composite actions under `folder`, a repository."""
    return [block for path in workflow_files(folder)
            for block in _blocks_of(path, yaml.safe_load(path.read_text("utf-8")))]


def workflow_files(folder: Path) -> list[Path]:
    """Return the files of workflows and of composite actions."""
    github = folder / ".github"
    return sorted([*github.glob("workflows/*.y*ml"), *github.glob("actions/**/action.y*ml")])


def check_scripts(folder: Path) -> Iterator[Finding]:
    """Yield syntax errors, what shellcheck says, and expressions that GitHub would paste into the script.

    GitHub replaces `${{ … }}` before the shell reads the script, so a title could become a command; values go
    through `env:`, which the shell quotes.
    """
    for block in run_blocks(folder):
        for expression in EXPRESSION.findall(block.script):
            yield Finding("expression", "in-run", block.where, f"{expression} becomes part of the script; hand it over "
                          "in env:")
        script = EXPRESSION.sub("expression", block.script)
        parsed = run([block.shell, "-n"], given=script, codes=(0, 1, 2))
        if parsed.returncode:
            yield Finding("bash", "syntax", block.where, parsed.stderr.strip())
            continue
        checked = run([PROGRAMS / "shellcheck", f"--shell={block.shell}", "--format=json", "-"], given=script)
        for one in json.loads(checked.stdout):
            yield Finding("shellcheck", f"SC{one['code']}", block.where, f"line {one['line']}: {one['message']}")


def check_schema(folder: Path) -> Iterator[Finding]:
    """Yield where a workflow breaks GitHub's schema, as check-jsonschema carries it."""
    schema = json.loads(files("check_jsonschema").joinpath("builtin_schemas/vendor/github-workflows.json").read_text())
    validator = validator_for(schema)(schema)
    for path in sorted(folder.glob(".github/workflows/*.y*ml")):
        document = YAML(typ="safe", pure=True).load(path)  # of YAML 1.2, where `on` is a word
        for error in validator.iter_errors(document):
            place = ".".join(map(str, error.absolute_path))
            yield Finding("github-workflows", "schema", f"{path.name} {place}", error.message[:300])


def check_by_actionlint(folder: Path, program: Path) -> Iterator[Finding]:
    """Yield what actionlint says, whatever its settings in the repository; shellcheck is left to check_scripts."""
    paths = [path for path in workflow_files(folder) if path.parent.name == "workflows"]
    if not paths:
        return
    done = run([program, "-no-color", "-format", "{{json .}}", "-shellcheck=", "-config-file", os.devnull, *paths],
               folder)
    for one in json.loads(done.stdout or "[]") or []:
        yield Finding("actionlint", one["kind"], f"{Path(one['filepath']).name}:{one['line']}", one["message"])


def check_by_zizmor(folder: Path) -> Iterator[Finding]:
    """Yield what zizmor says with its strictest persona, without the network; comments silence nothing."""
    with tempfile.TemporaryDirectory(prefix="sentinel-workflows-") as name:
        copied = shutil.copytree(folder / ".github", Path(name, ".github"))
        for path in copied.rglob("*.y*ml"):
            path.write_text(path.read_text("utf-8").replace("zizmor: ignore", "zizmor, ignore"), "utf-8")
        done = run([PROGRAMS / "zizmor", "--offline", "--no-config", "--persona=auditor", "--format=json",
                    "--no-exit-codes", "--quiet", copied])
    for one in json.loads(done.stdout or "[]"):
        yield Finding("zizmor", one["ident"], _first_place(one), f"{one['desc']} ({one['determinations']['severity']})")


def main(arguments: list[str] | None = None) -> int:
    """Check the workflows of a checkout."""
    given = sys.argv[1:] if arguments is None else arguments
    folder = Path(given[0] if given else ".").resolve()
    program = ACTIONLINT.resolve()
    if not program.exists():
        print("lint_workflows: actionlint is not there; `make build/bin/actionlint` builds it", file=sys.stderr)
        return 2
    findings = [*check_schema(folder), *check_by_actionlint(folder, program), *check_by_zizmor(folder),
                *check_scripts(folder)]
    return judge("workflows", findings, TOOLS)


def _blocks_of(path: Path, document: Any) -> Iterator[RunBlock]:
    if "runs" in document:
        yield from _steps_of(path.parent.name, document["runs"].get("steps", []), "bash")
    shell = document.get("defaults", {}).get("run", {}).get("shell", "bash")
    for name, job in document.get("jobs", {}).items():
        own = job.get("defaults", {}).get("run", {}).get("shell", shell)
        yield from _steps_of(f"{path.name}: {name}", job.get("steps", []), own)


def _steps_of(where: str, steps: list[Any], shell: str) -> Iterator[RunBlock]:
    for number, step in enumerate(steps, start=1):
        if "run" in step:
            command = step.get("shell", shell)
            yield RunBlock(f"{where}, step {number}", SHELLS.get(command, command), step["run"])


def _first_place(finding: dict[str, Any]) -> str:
    location = finding["locations"][0]
    path = location["symbolic"]["key"]["Local"]["verbatim_path"]
    return f"{Path(path).name}:{location['concrete']['location']['start_point']['row'] + 1}"


if __name__ == "__main__":
    sys.exit(main())
