"""What the linters found, and which of it was accepted with a reason and a date in suppressions.yaml."""

import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path

import yaml

from sentinel.errors import CorruptFileError, NotFoundError, UnavailableError

SUPPRESSIONS = Path(__file__).parent / "suppressions.yaml"
SECONDS = 300.0  # checkov needs ten of them on an idle machine


@dataclass(frozen=True)
class Finding:
    """One complaint of one linter."""

    tool: str  # "checkov"
    check: str  # "CKV_K8S_35"
    where: str  # "CronJob/data-fetch", "data_fetch/Dockerfile:12"
    text: str

    def __str__(self) -> str:
        return f"{self.where}: {self.text} ({self.tool} {self.check})"


@dataclass(frozen=True)
class Suppression:
    """One complaint that is right in general and wrong here."""

    tool: str
    check: str
    where: str  # pattern of fnmatch
    reason: str
    since: date
    text: str = "*"  # pattern, where the check alone would silence too much

    def covers(self, finding: Finding) -> bool:
        """Tell whether this is about the finding."""
        return (self.tool, self.check) == (finding.tool, finding.check) and \
            fnmatchcase(finding.where, self.where) and fnmatchcase(finding.text, self.text)

    def __str__(self) -> str:
        return f"{self.tool} {self.check} at {self.where}"


def read_suppressions(path: Path = SUPPRESSIONS) -> list[Suppression]:
    """Return all suppressions; raises CorruptFileError for one without a reason, a date or a place."""
    suppressions = []
    for entry in yaml.safe_load(path.read_text(encoding="utf-8")) or []:
        try:
            suppression = Suppression(**entry)
        except TypeError as error:
            raise CorruptFileError(f"{path.name}: cannot use {entry}: {error}") from error
        if not isinstance(suppression.since, date) or len(str(suppression.reason).split()) < 4:
            raise CorruptFileError(f"{path.name}: {suppression} needs a date (since: 2026-11-22) and a reason that "
                                   "says why the complaint is wrong here")
        suppressions.append(suppression)
    return suppressions


def judge(title: str, findings: Iterable[Finding], tools: Sequence[str],
          suppressions: Sequence[Suppression] | None = None) -> int:
    """Print what nobody accepted, and what was accepted but is not complained of any more; return the exit code.

    `tools` are those that ran: only their suppressions can be superfluous.
    """
    known = read_suppressions() if suppressions is None else suppressions
    found = list(findings)
    wrong = [str(one) for one in found if not any(suppression.covers(one) for suppression in known)]
    wrong += [f"delivery/suppressions.yaml: {suppression} covers nothing any more; take it out"
              for suppression in known if suppression.tool in tools and not any(map(suppression.covers, found))]
    for line in wrong:
        print(f"  {line}", file=sys.stderr)
    accepted = f", {len(found)} accepted with a reason" if found and not wrong else ""
    print(f"{title}: {f'{len(wrong)} to mend' if wrong else 'no finding'}{accepted}")
    return 1 if wrong else 0


def run(command: Sequence[str | Path], folder: Path | None = None, given: str | None = None,
        codes: Sequence[int] = (0, 1)) -> subprocess.CompletedProcess[str]:
    """Run a linter; raises NotFoundError where it is not installed, UnavailableError where it breaks down itself."""
    try:
        done = subprocess.run([str(part) for part in command], cwd=folder, input=given, capture_output=True, text=True,
                              timeout=SECONDS)
    except FileNotFoundError as error:
        raise NotFoundError(f"{command[0]} is not installed; `make lint-delivery` installs what it needs") from error
    except subprocess.TimeoutExpired as error:
        raise UnavailableError(f"{command[0]} did not end within {SECONDS:g} s") from error
    if done.returncode not in codes:
        raise UnavailableError(f"{command[0]} ended with {done.returncode}, expected one of {tuple(codes)}: "
                               f"{(done.stderr or done.stdout).strip()[-1000:]}")
    return done
