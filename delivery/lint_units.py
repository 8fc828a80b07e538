"""Check the systemd units: `python -m delivery.lint_units` (needs systemd-analyze 250 or later, no running systemd).

The units are laid out in a root folder of their own, with an empty program in the place of the virtual environment's.
"""

import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from delivery.lint_findings import Finding, judge, run

UNITS = Path("deploy/systemd")
SYSTEM_UNITS = Path("/usr/lib/systemd/system")
PROGRAM = re.compile(r"^ExecStart=(\S+)", re.MULTILINE)
MOST_EXPOSED = 15  # tenths, of 100; systemd calls anything below 20 OK; what is left is the open network
EXPOSURE = re.compile(r"exposure level for \S+: (\S+ \S+)")


def check_units(folder: Path, root: Path) -> Iterator[Finding]:
    """Yield what systemd says against the units and timers; `root` is an empty folder."""
    lay_out(folder, root)
    for path in sorted([*folder.glob("*.service"), *folder.glob("*.timer")]):
        verified = run(["systemd-analyze", "verify", "--man=no", f"--root={root}", path.name])
        for line in verified.stderr.splitlines():
            yield Finding("systemd-verify", "unit", path.name, line.strip())
        if path.suffix == ".service" and not verified.returncode:
            yield from _exposure(path.name, root)


def lay_out(folder: Path, root: Path) -> None:
    """Copy the units, and the targets that they hang on, to where systemd looks for them below `root`."""
    own = root / "etc/systemd/system"
    shutil.copytree(folder, own)
    targets = root / "usr/lib/systemd/system"
    targets.mkdir(parents=True)
    for target in SYSTEM_UNITS.glob("*.target"):
        shutil.copyfile(target, targets / target.name)
    for unit in own.glob("*.service"):
        for name in PROGRAM.findall(unit.read_text("utf-8")):
            program = root / name.lstrip("/")
            program.parent.mkdir(parents=True, exist_ok=True)
            program.touch(mode=0o755)


def main() -> int:
    """Check the units of this checkout."""
    if shutil.which("systemd-analyze") is None:
        print("lint_units: systemd-analyze is not there; on Debian it is in the package systemd", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="sentinel-units-") as root:
        return judge("systemd units", check_units(UNITS, Path(root)), ["systemd-verify", "systemd-security"])


def _exposure(name: str, root: Path) -> Iterator[Finding]:
    judged = run(["systemd-analyze", "security", "--offline=true", f"--root={root}", f"--threshold={MOST_EXPOSED}",
                  "--no-pager", name])
    if judged.returncode:
        seen = EXPOSURE.search(judged.stdout)
        yield Finding("systemd-security", "exposure", name, f"exposure {seen[1] if seen else '?'}, expected at most "
                      f"{MOST_EXPOSED / 10}; `systemd-analyze security` lists what is open")


if __name__ == "__main__":
    sys.exit(main())
