"""Run the fault matrix and print what was seen.

    python -m tests.chaos.table [--write docs/reliability.md] [--results FILE ...]

With --results, nothing runs: the table is made of results that pytest wrote before.
"""

import argparse
import ast
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from tests.chaos.faults import FAULTS, Fault

RESULTS = Path("build/chaos.xml")
# The marks leave tests out elsewhere; a cluster is not for here.
MARKS = "chaos or long_spark or not cluster"
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"


@dataclass
class Outcome:
    """What pytest told of all cases of one test."""

    n_cases: int = 0
    n_failed: int = 0
    n_skipped: int = 0
    seconds: float = 0.0
    figures: list[str] = field(default_factory=list)


def main() -> int:
    """Run the tests unless their results are given, print the table, and write it where that is asked for."""
    given = _parse()
    code = 0 if given.results else _run()
    outcomes = read_outcomes(given.results or [RESULTS])
    lines = to_lines(outcomes)
    print("\n".join(lines))
    if given.write:
        _write(given.write, lines)
    of_all = [outcomes.get(test, Outcome()) for one in FAULTS for test in one.tests]
    return code or int(any(not one.n_cases or one.n_failed for one in of_all))


def read_outcomes(results: list[Path]) -> dict[str, Outcome]:
    """Return the outcomes by test; of a test that is in two files, the later one counts."""
    outcomes = defaultdict[str, Outcome](Outcome)
    for path in results:
        of_file = defaultdict[str, Outcome](Outcome)
        for case in ElementTree.parse(path).iter("testcase"):
            name, _, parameters = case.get("name", "").partition("[")
            outcome = of_file[f"{case.get('file')}::{name}"]
            outcome.n_cases += 1
            outcome.n_failed += case.find("failure") is not None or case.find("error") is not None
            outcome.n_skipped += case.find("skipped") is not None
            outcome.seconds += float(case.get("time", 0))
            figures = ", ".join(f"{one.get('name', '').replace('_', ' ')} {_plain(one.get('value', ''))}"
                                for one in case.iter("property"))
            if figures:
                outcome.figures.append(f"{parameters.rstrip(']')}: {figures}" if parameters else figures)
        outcomes |= of_file
    return outcomes


def to_lines(outcomes: dict[str, Outcome]) -> list[str]:
    """Return the table in Markdown."""
    rows = [f"| {one.fault} | {one.expected} | {_seen(one, outcomes)} | {_links(one)} |" for one in FAULTS]
    return ["| fault | expected | seen | test |", "|---|---|---|---|", *rows]


def _seen(fault: Fault, outcomes: dict[str, Outcome]) -> str:
    found = [outcomes.get(test, Outcome()) for test in fault.tests]
    if not all(one.n_cases for one in found):
        return "not run"
    n_cases, n_failed = sum(one.n_cases for one in found), sum(one.n_failed for one in found)
    n_skipped = sum(one.n_skipped for one in found)
    of = f" ({n_cases} cases)" if n_cases > 1 else ""
    verdict = f"**{n_failed} of {n_cases} failed**" if n_failed else f"as expected{of}"
    if n_skipped:
        verdict = f"{n_skipped} of {n_cases} skipped" + (f", {verdict}" if n_failed else "")
    return "; ".join([verdict, *(figures for one in found for figures in one.figures)])


def _links(fault: Fault) -> str:
    return ", ".join(f"`{test.removeprefix('tests/')}`" for test in fault.tests)


def _plain(value: str) -> str:
    """Show a list or a mapping in words."""
    try:
        shown = ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return value
    if isinstance(shown, dict):
        return " ".join(f"{key}: {count:,}" for key, count in shown.items())
    if isinstance(shown, list):
        return " and ".join(map(str, shown))
    return f"{shown:,}" if isinstance(shown, int) else value


def _run() -> int:
    RESULTS.parent.mkdir(exist_ok=True)
    tests = list(dict.fromkeys(test for one in FAULTS for test in one.tests))
    return subprocess.run([sys.executable, "-m", "pytest", "-m", MARKS, "-o", "junit_family=xunit1",
                           f"--junitxml={RESULTS}", *tests]).returncode


def _write(path: Path, lines: list[str]) -> None:
    before, _, rest = path.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    at = time.strftime("%Y-%m-%d", time.gmtime())
    path.write_text("\n".join([before + BEGIN, f"Seen on {at}:", "", *lines, "", END + after]))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", type=Path, metavar="PAGE")
    parser.add_argument("--results", type=Path, nargs="+", metavar="FILE")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
