"""Commit on the branch of staging and push, though others push at the same time.

The working tree is left alone: the commit is made in a folder of its own, on what the remote has now.
Processes that share a clone wait for one another, since git's worktrees do not bear two that come and go at once.
A refused push is not rebased but made anew on the newer commit, so two edits of one file never conflict.
"""

import contextlib
import fcntl
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from delivery.image_tree import TRANSFER_SECONDS, git
from sentinel.errors import FixNeededError, NotFoundError, PermissionDeniedError, SentinelError, UnavailableError

BRANCH, FETCHED = "staging", "refs/sentinel/staging"
TRIES = 12
BUDGET_SECONDS = 420.0  # of all tries together, the wait for the clone included; the job that pushes has ten minutes
LOOK_SECONDS = 0.1  # between two looks at the lock
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.2, 8.0
AUTHOR = ("-c", "user.name=sentinel delivery", "-c", "user.email=delivery@sentinel.invalid")
UNATTENDED = {"GIT_TERMINAL_PROMPT": "0"}  # a missing credential is told, not asked for
NO_BRANCH = "couldn't find remote ref"
# What git says when somebody else pushed in between, or is pushing at this moment.
OVERTAKEN = ("fetch first", "non-fast-forward", "cannot lock ref", "incorrect old value", "stale info",
             "failed to update ref", "reference already exists")
REFUSED = ("protected branch", "permission", "denied", "returned error: 403", "could not read username", "gh006",
           "gh013", "authentication failed", "hook declined")


def change_staging(repository: Path, edit: Callable[[Path], str | None], remote: str = "origin") -> bool:
    """Let `edit` change a checkout of staging and push that; say whether there was something to push.

    `edit` returns the message of the commit, or None when nothing is to be changed; it is called anew for each try.
    """
    give_up_at = time.monotonic() + BUDGET_SECONDS
    for attempt in range(TRIES):
        with _alone_in(repository, give_up_at), _checkout(repository, remote, give_up_at) as checkout:
            message = edit(checkout)
            if message is None:
                return False
            git(checkout, *AUTHOR, "commit", "--quiet", "--all", "--no-verify", "--message", message)
            if _push(checkout, remote, give_up_at):
                return True
        time.sleep(random.uniform(0, min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2 ** attempt)))
    raise UnavailableError(f"cannot push to {BRANCH}: {TRIES} times somebody else was faster; run the same again")


@contextlib.contextmanager
def _alone_in(repository: Path, give_up_at: float) -> Iterator[None]:
    """Hold the clone's lock, which the system gives back even when this process is killed."""
    path = Path(repository, git(repository, "rev-parse", "--git-common-dir"), "sentinel.lock")
    with path.open("a+") as lock:
        while not _takes(lock):
            if time.monotonic() > give_up_at:
                lock.seek(0)
                raise UnavailableError(
                    f"cannot write {BRANCH}: process {lock.read().strip() or 'unknown'} held {path} for the "
                    f"{BUDGET_SECONDS:.0f} s that this may take; it writes another release from this clone: let it "
                    "end, or end it where it hangs, then run the same again")
            time.sleep(LOOK_SECONDS)
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def _takes(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def _checkout(repository: Path, remote: str, give_up_at: float) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        checkout = Path(folder, "checkout")
        _fetch(repository, remote, give_up_at)
        try:
            git(repository, "worktree", "add", "--quiet", "--detach", str(checkout), FETCHED)
            yield checkout
        finally:
            with contextlib.suppress(SentinelError):  # it may never have been added
                git(repository, "worktree", "remove", "--force", str(checkout))
            git(repository, "update-ref", "-d", FETCHED)


def _fetch(repository: Path, remote: str, give_up_at: float) -> None:
    try:
        # An empty map leaves refs/remotes alone: a person may be fetching just now.
        git(repository, "fetch", "--quiet", "--no-write-fetch-head", "--no-tags", "--refmap=", remote,
            f"+refs/heads/{BRANCH}:{FETCHED}", variables=UNATTENDED, seconds=_seconds_left(give_up_at))
    except FixNeededError as error:
        if NO_BRANCH in str(error).lower():
            raise NotFoundError(f"{remote} has no branch {BRANCH}: {error}; make it from main, as the runbook says "
                                "under *Install from nothing*, then run the same again") from error
        if any(words in str(error).lower() for words in REFUSED):
            raise PermissionDeniedError(
                f"{remote} does not let us read {BRANCH}: {error}; give the workflow a deploy key of this repository "
                "(secret STAGING_DEPLOY_KEY), then run the same again; nothing was written") from error
        raise UnavailableError(f"cannot fetch {BRANCH} from {remote}: {error}; run the same again when the server "
                               "answers; nothing was written") from error


def _push(checkout: Path, remote: str, give_up_at: float) -> bool:
    """Push what was committed; say no where somebody else pushed in between."""
    try:
        git(checkout, "push", "--quiet", remote, f"HEAD:refs/heads/{BRANCH}", variables=UNATTENDED,
            seconds=_seconds_left(give_up_at))
    except UnavailableError as error:
        raise UnavailableError(f"cannot say whether the push to {BRANCH} arrived: {error}; what arrived already is not "
                               "written twice") from error
    except FixNeededError as error:
        _check_worth_another_try(error, remote)
        return False
    return True


def _seconds_left(give_up_at: float) -> float:
    """Return how long the next transfer may take; raises UnavailableError when the budget is spent."""
    left = give_up_at - time.monotonic()
    if left <= 0:
        raise UnavailableError(f"cannot write {BRANCH} within the {BUDGET_SECONDS:.0f} s that this may take; look "
                               "whether the server is slow, then run the same again")
    return min(TRANSFER_SECONDS, left)


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
