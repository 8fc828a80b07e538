"""Check the Dockerfiles by hadolint: `python -m delivery.lint_images [FILE …]`."""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from delivery.lint_findings import Finding, judge, run

HADOLINT = Path(sys.executable).parent / "hadolint"


def check_dockerfiles(paths: Sequence[Path]) -> Iterator[Finding]:
    """Yield what hadolint says, however light; comments in the files silence nothing."""
    done = run([HADOLINT, "--no-fail", "--failure-threshold", "style", "--disable-ignore-pragma", "--format", "json",
                *paths])
    for one in json.loads(done.stdout):
        yield Finding("hadolint", one["code"], f"{one['file']}:{one['line']}", one["message"])


def main(arguments: list[str] | None = None) -> int:
    """Check every Dockerfile of this checkout, or those given."""
    given = sys.argv[1:] if arguments is None else arguments
    paths = [Path(name) for name in given] or sorted(Path().glob("*/Dockerfile"))
    if not paths:
        print("lint_images: no Dockerfile here; run it in the repository's root", file=sys.stderr)
        return 2
    return judge(f"Dockerfiles, {len(paths)}", check_dockerfiles(paths), ["hadolint"])


if __name__ == "__main__":
    sys.exit(main())
