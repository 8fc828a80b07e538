"""Check what the Applications would apply by checkov: `python -m delivery.lint_checkov` (needs build/checkov).

checkov skips a Rollout without a word, so it gets a Deployment with the same pods.
"""

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import yaml

from delivery.lint_findings import Finding, judge, run
from delivery.render import ENVIRONMENTS, Manifest, as_core_kinds, render
from sentinel.errors import SentinelError

CHECKOV = Path("build/checkov/bin/checkov")
OPTIONS = ("--framework", "kubernetes", "--compact", "--quiet", "--skip-download", "--output", "json")


def check_objects(objects: list[Manifest], program: Path) -> Iterator[Finding]:
    """Yield checkov's findings; a ValueError tells that it has read fewer objects than it was given."""
    with tempfile.TemporaryDirectory(prefix="sentinel-checkov-") as folder:
        for number, one in enumerate(objects):
            Path(folder, f"{number}.yaml").write_text(yaml.safe_dump(one), "utf-8")
        done = run([program.resolve(), "--directory", folder, *OPTIONS])
    reports = json.loads(done.stdout)
    for report in reports if isinstance(reports, list) else [reports]:
        if report.get("summary", {}).get("parsing_errors"):
            raise ValueError(f"checkov could not read {report['results'].get('parsing_errors')}")
        for check in report.get("results", {}).get("failed_checks", []):
            yield Finding("checkov", check["check_id"], _place(check["resource"]), check["check_name"])


def main() -> int:
    """Check both environments of this checkout."""
    if not CHECKOV.exists():
        print("lint_checkov: checkov is not there; `make build/checkov/bin/checkov` installs it", file=sys.stderr)
        return 2
    try:
        rendered = {environment: list(render(Path(), environment).all_objects()) for environment in ENVIRONMENTS}
        objects = [core for environment in rendered.values() for one in environment for core in as_core_kinds(one)]
        return judge(f"checkov, {len(objects)} objects", sorted(set(check_objects(objects, CHECKOV)), key=str),
                     ["checkov"])
    except SentinelError as error:
        print(f"lint_checkov: {error}", file=sys.stderr)
        return error.exit_code


def _place(resource: str) -> str:
    """Turn checkov's `Deployment.sentinel.model-serving` into `Deployment/model-serving`."""
    kind, *_, name = resource.split(".")
    return f"{kind}/{name}"


if __name__ == "__main__":
    sys.exit(main())
