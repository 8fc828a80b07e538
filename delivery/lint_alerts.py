"""Check the alert rules and run their unit tests: `python -m delivery.lint_alerts` (needs promtool)."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from delivery.lint_findings import Finding, judge, run

OBSERVABILITY = Path("argo-apps/observability")
RULES = "alerts.rules.yaml"  # the name that the unit tests give
LOCAL_PROMTOOL = Path("build/bin/promtool")


def read_groups(folder: Path) -> list[dict[str, Any]]:
    """Return the rule groups of the PrometheusRule."""
    groups: list[dict[str, Any]] = yaml.safe_load((folder / "alerts.yaml").read_text("utf-8"))["spec"]["groups"]
    return groups


def alerts_of(folder: Path) -> list[dict[str, Any]]:
    """Return the alerts, without the recording rules."""
    return [rule for group in read_groups(folder) for rule in group["rules"] if "alert" in rule]


def promtool(root: Path = Path()) -> str | None:
    """Return the promtool to use: the one that make fetched, or the machine's; None where there is neither."""
    local = root / LOCAL_PROMTOOL
    return str(local.resolve()) if local.exists() else shutil.which("promtool")


def write_rules(folder: Path, into: Path) -> None:
    """Write the rules as promtool wants them, and the unit tests beside.

    The tests are about labels and times; the annotations are left out, or each expected alert would repeat them.
    """
    groups = read_groups(folder)
    (into / "whole.yaml").write_text(yaml.safe_dump({"groups": groups}), "utf-8")
    bare = [{**group, "rules": [{name: value for name, value in rule.items() if name != "annotations"}
                                for rule in group["rules"]]} for group in groups]
    (into / RULES).write_text(yaml.safe_dump({"groups": bare}), "utf-8")
    for test in folder.glob("*_test.yml"):
        shutil.copy(test, into)


def check_rules(folder: Path, program: str) -> Iterator[Finding]:
    """Yield what promtool says against the rules and the outcome of their tests."""
    with tempfile.TemporaryDirectory(prefix="sentinel-alerts-") as name:
        into = Path(name)
        write_rules(folder, into)
        checked = run([program, "check", "rules", "whole.yaml"], into)
        if checked.returncode:
            yield Finding("promtool", "check", str(folder / "alerts.yaml"), checked.stderr.strip())
            return
        for test in sorted(into.glob("*_test.yml")):
            tested = run([program, "test", "rules", test.name], into)
            if tested.returncode:
                yield Finding("promtool", "test", str(folder / test.name), (tested.stdout + tested.stderr).strip())


def untested(folder: Path) -> Iterator[Finding]:
    """Yield the alerts that no test sees fire, or none sees silent."""
    seen: set[tuple[str, bool]] = set()
    for path in folder.glob("*_test.yml"):
        for test in yaml.safe_load(path.read_text("utf-8"))["tests"]:
            seen |= {(case["alertname"], bool(case["exp_alerts"])) for case in test["alert_rule_test"]}
    for alert in alerts_of(folder):
        for fires in (True, False):
            if (alert["alert"], fires) not in seen:
                yield Finding("promtool", "coverage", str(folder), f"no test in which {alert['alert']} "
                              f"{'fires' if fires else 'stays silent'}")


def main() -> int:
    """Check the rules of this checkout."""
    program = promtool()
    if program is None:
        print("lint_alerts: promtool is not there; `make build/bin/promtool` fetches Debian's", file=sys.stderr)
        return 2
    return judge("alerts", [*check_rules(OBSERVABILITY, program), *untested(OBSERVABILITY)], ["promtool"])


if __name__ == "__main__":
    sys.exit(main())
