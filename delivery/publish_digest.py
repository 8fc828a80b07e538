"""Commit the digest of a stage's image on staging, which is what Argo CD runs there.

    python -m delivery.publish_digest data-fetch sha256:… --tag <tree hash>
"""

import argparse
import signal
import sys
from pathlib import Path

from delivery.image_tree import find_image_tree
from delivery.staging import BRANCH, change_staging
from delivery.write_digest import Release, write_release
from sentinel.errors import SentinelError


def publish_release(repository: Path, release: Release, remote: str = "origin") -> str:
    """Return "written", "already there" or "superseded", when staging holds newer files of the stage by now."""
    outcome = "already there"

    def edit(checkout: Path) -> str | None:
        nonlocal outcome
        now = find_image_tree(release.stage, checkout).tree
        if now != release.tag:
            outcome = f"superseded: {BRANCH} holds tree {now} by now, whose own run writes its digest"
            return None
        return _message(release) if write_release(checkout, release) else None

    return "written" if change_staging(repository, edit, remote) else outcome


def _message(release: Release) -> str:
    name = release.digest.removeprefix("sha256:")[:12]
    return (f"Run {release.stage} {name}\n\nTree {release.tag}\nImage {release.digest}\n\n"
            "Tried and signed; written by the workflow.")


def main(arguments: list[str] | None = None) -> int:
    """Publish one digest and say what became of it."""
    parser = argparse.ArgumentParser(prog="delivery.publish_digest", description=__doc__.splitlines()[0])
    parser.add_argument("stage")
    parser.add_argument("digest")
    parser.add_argument("--tag", required=True, help="tree hash of what went into the image")
    parser.add_argument("--repository", type=Path, default=Path())
    given = parser.parse_args(arguments)
    try:
        outcome = publish_release(given.repository, Release(given.stage, given.tag, given.digest))
    except SentinelError as error:
        print(f"publish_digest: {error}", file=sys.stderr)
        return error.exit_code
    print(f"{given.stage} {given.digest} on {BRANCH}: {outcome}")
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # a cancelled run: git ends with us
    sys.exit(main())
