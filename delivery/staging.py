"""Commit on the branch of staging and push, though others push at the same time.

The working tree is left alone: the commit is made in a folder of its own, on what the remote has now.
Processes that share a clone wait for one another, since git's worktrees do not bear two that come and go at once.
A refused push is not rebased but made anew on the newer commit, so two edits of one file never conflict.
"""

import contextlib
import fcntl
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from delivery.image_tree import git
from sentinel.errors import FixNeededError, PermissionDeniedError, UnavailableError

BRANCH, FETCHED = "staging", "refs/sentinel/staging"
TRIES = 12
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.2, 8.0
AUTHOR = ("-c", "user.name=sentinel delivery", "-c", "user.email=delivery@sentinel.invalid")
# What git says when somebody else pushed in between, or is pushing at this moment.
OVERTAKEN = ("fetch first", "non-fast-forward", "cannot lock ref", "incorrect old value", "stale info",
             "failed to update ref", "reference already exists")
REFUSED = ("protected branch", "permission", "denied", "returned error: 403", "could not read username", "gh006",
           "gh013", "authentication failed", "hook declined")


def change_staging(repository: Path, edit: Callable[[Path], str | None], remote: str = "origin") -> bool:
    """Let `edit` change a checkout of staging and push that; say whether there was something to push.

    `edit` returns the message of the commit, or None when nothing is to be changed; it is called anew for each try.
    """
    for attempt in range(TRIES):
        with _alone_in(repository), _checkout(repository, remote) as checkout:
            message = edit(checkout)
            if message is None:
                return False
            git(checkout, *AUTHOR, "commit", "--quiet", "--all", "--no-verify", "--message", message)
            try:
                git(checkout, "push", "--quiet", remote, f"HEAD:refs/heads/{BRANCH}")
                return True
            except FixNeededError as error:
                _check_worth_another_try(error, remote)
        time.sleep(random.uniform(0, min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2 ** attempt)))
    raise UnavailableError(f"cannot push to {BRANCH}: {TRIES} times somebody else was faster; run the same again")


@contextlib.contextmanager
def _alone_in(repository: Path) -> Iterator[None]:
    """Hold the clone's lock, which the system gives back even when this process is killed."""
    with Path(repository, git(repository, "rev-parse", "--git-common-dir"), "sentinel.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _checkout(repository: Path, remote: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        checkout = Path(folder, "checkout")
        # An empty map leaves refs/remotes alone: a person may be fetching just now.
        git(repository, "fetch", "--quiet", "--no-write-fetch-head", "--no-tags", "--refmap=", remote,
            f"+refs/heads/{BRANCH}:{FETCHED}")
        try:
            git(repository, "worktree", "add", "--quiet", "--detach", str(checkout), FETCHED)
            yield checkout
        finally:
            with contextlib.suppress(FixNeededError):  # it may never have been added
                git(repository, "worktree", "remove", "--force", str(checkout))
            git(repository, "update-ref", "-d", FETCHED)


def _check_worth_another_try(error: FixNeededError, remote: str) -> None:
    said = str(error).lower()
    if any(words in said for words in OVERTAKEN):
        return
    if any(words in said for words in REFUSED):
        raise PermissionDeniedError(
            f"{remote} does not let us push to {BRANCH}: {error}; give the workflow a deploy key that may write "
            "(secret STAGING_DEPLOY_KEY) and put it on the bypass list of the branch's rule, then run the same again"
        ) from error
    raise UnavailableError(f"cannot push to {BRANCH}: {error}; run the same again") from error
