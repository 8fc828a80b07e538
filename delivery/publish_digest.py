"""Commit a digest on the branch of staging and push it, though others push at the same time.

    python -m delivery.publish_digest data-fetch sha256:… --tag <tree hash>

The working tree is left alone: the commit is made in a folder of its own, on what the remote has now.
A refused push is not rebased but written anew on the newer commit, so two digests in one file never conflict.
"""

import argparse
import contextlib
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from delivery.image_tree import find_image_tree, git
from delivery.write_digest import KUSTOMIZATIONS, Release, write_release
from sentinel.errors import FixNeededError, PermissionDeniedError, SentinelError, UnavailableError

BRANCH = "staging"
TRIES = 12
LONGEST_WAIT_SECONDS = 8.0
AUTHOR = ("-c", "user.name=sentinel delivery", "-c", "user.email=delivery@sentinel.invalid")
# What git says when somebody else pushed in between, or is pushing at this moment.
OVERTAKEN = ("fetch first", "non-fast-forward", "cannot lock ref", "incorrect old value", "stale info",
             "failed to update ref", "unable to create", "reference already exists")
REFUSED = ("protected branch", "permission", "denied", "403", "could not read username", "gh006", "gh013",
           "authentication failed")


def publish_release(repository: Path, release: Release, remote: str = "origin") -> str:
    """Return "written", "already there" or "superseded", when the remote's branch holds newer files of the stage."""
    for attempt in range(TRIES):
        with _checkout_of_remote(repository, remote) as checkout:
            now = find_image_tree(release.stage, checkout).tree
            if now != release.tag:
                return f"superseded: {BRANCH} holds tree {now} by now, its own run writes that"
            if not write_release(checkout, release):
                return "already there"
            _commit(checkout, release)
            try:
                git(checkout, "push", "--quiet", remote, f"HEAD:refs/heads/{BRANCH}")
                return "written"
            except FixNeededError as error:
                _check_worth_another_try(error, remote)
        time.sleep(random.uniform(0, min(LONGEST_WAIT_SECONDS, 0.2 * 2 ** attempt)))
    raise UnavailableError(
        f"cannot push the digest of {release.stage}: {TRIES} times somebody else was faster; run the same again"
    )


@contextlib.contextmanager
def _checkout_of_remote(repository: Path, remote: str) -> Iterator[Path]:
    git(repository, "fetch", "--quiet", remote, f"+refs/heads/{BRANCH}:refs/remotes/{remote}/{BRANCH}")
    with tempfile.TemporaryDirectory() as folder:
        checkout = Path(folder, "checkout")
        git(repository, "worktree", "add", "--quiet", "--detach", str(checkout), f"{remote}/{BRANCH}")
        try:
            yield checkout
        finally:
            git(repository, "worktree", "remove", "--force", str(checkout))


def _commit(checkout: Path, release: Release) -> None:
    git(checkout, "add", "--", KUSTOMIZATIONS[release.stage])
    subject = f"Run {release.stage} {release.digest.removeprefix('sha256:')[:12]}"
    body = f"Tree {release.tag}\nImage {release.digest}\n\nTried and signed; written by the workflow."
    git(checkout, *AUTHOR, "commit", "--quiet", "--no-verify", "-m", subject, "-m", body)


def _check_worth_another_try(error: FixNeededError, remote: str) -> None:
    said = str(error).lower()
    if any(words in said for words in OVERTAKEN):
        return
    if any(words in said for words in REFUSED):
        raise PermissionDeniedError(
            f"{remote} does not let us push to {BRANCH}: {error}; give the workflow a deploy key that may, "
            "and put it on the bypass list of the branch rule"
        ) from error
    raise UnavailableError(f"cannot push to {BRANCH}: {error}; run the same again") from error


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
    sys.exit(main())
