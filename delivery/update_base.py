"""Pin the newest base image in the four Dockerfiles, on staging; needs skopeo.

    python -m delivery.update_base

The base's digest stands in the Dockerfile, so it is part of the tag: a newer base is a newer tree, and the four
workflows build, try and release it like any other change.
"""

import argparse
import hashlib
import re
import signal
import subprocess
import sys
from pathlib import Path

from delivery.image_tree import FOLDERS
from delivery.staging import BRANCH, change_staging
from sentinel.errors import CorruptFileError, FixNeededError, SentinelError, UnavailableError

TIMEOUT_SECONDS = 60
BASE = re.compile(r"^ARG BASE=(?P<name>[^@\s]+)(?P<digest>@sha256:[0-9a-f]{64})?$", re.MULTILINE)


def pin_bases(root: Path) -> dict[str, str]:
    """Pin what every Dockerfile under `root` is based on; return the bases that changed, with their digests."""
    changed: dict[str, str] = {}
    for folder in FOLDERS.values():
        path = root / folder / "Dockerfile"
        text = path.read_text(encoding="utf-8")
        found = BASE.search(text)
        if found is None:
            raise CorruptFileError(f"{path} has no line `ARG BASE=name:tag`; write one, its digest is kept up to date")
        digest = find_base_digest(found["name"])
        if found["digest"] != f"@{digest}":
            changed[found["name"]] = digest
            path.write_text(BASE.sub(f"ARG BASE={found['name']}@{digest}", text), encoding="utf-8")
    return changed


def find_base_digest(name: str) -> str:
    """Return the digest that a public image has now; that of the list, where it has several platforms."""
    command = ("skopeo", "inspect", "--raw", "--retry-times", "3", f"docker://{name}")
    try:
        done = subprocess.run(command, capture_output=True, timeout=TIMEOUT_SECONDS)
    except FileNotFoundError as error:
        raise FixNeededError("skopeo is not installed; install it (apt-get install skopeo)") from error
    except subprocess.TimeoutExpired as error:
        raise UnavailableError(f"no answer about {name} within {TIMEOUT_SECONDS} s; run the same again") from error
    if done.returncode != 0:
        raise UnavailableError(f"cannot look for {name}: {done.stderr.decode().strip()}; run the same again")
    return "sha256:" + hashlib.sha256(done.stdout).hexdigest()


def _edit(checkout: Path) -> str | None:
    changed = pin_bases(checkout)
    listed = "\n".join(f"{name} {digest}" for name, digest in changed.items())
    return f"Build on the newest base image\n\n{listed}" if changed else None


def main(arguments: list[str] | None = None) -> int:
    """Pin the bases on staging and say whether there were newer ones."""
    parser = argparse.ArgumentParser(prog="delivery.update_base", description=__doc__.splitlines()[0])
    parser.add_argument("--repository", type=Path, default=Path())
    given = parser.parse_args(arguments)
    try:
        changed = change_staging(given.repository, _edit)
    except SentinelError as error:
        print(f"update_base: {error}", file=sys.stderr)
        return error.exit_code
    print(f"{BRANCH}: " + ("newer base, the workflows build on it" if changed else "the base is the newest"))
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # a cancelled run: git ends with us
    sys.exit(main())
