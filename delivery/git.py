"""Run git in a folder, with its message in the error."""

import subprocess
from pathlib import Path

from sentinel.errors import FixNeededError, UnavailableError

TIMEOUT_SECONDS = 120


class GitError(FixNeededError):
    """Carry what git said on its standard error."""


def git(root: Path, *arguments: str) -> str:
    """Return the standard output of a git command, without the line's end; raise GitError when it fails."""
    try:
        done = subprocess.run(
            ("git", "-C", str(root), *arguments), capture_output=True, text=True, timeout=TIMEOUT_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise UnavailableError(
            f"git {arguments[0]} did not end within {TIMEOUT_SECONDS} s; is the Git server there? Then run it again"
        ) from error
    if done.returncode != 0:
        raise GitError(f"git {arguments[0]} failed in {root}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout.rstrip("\n")


def is_ancestor(root: Path, ancestor: str, commit: str) -> bool:
    """Say whether `commit` holds `ancestor`; an unknown commit is no ancestor."""
    command = ("git", "-C", str(root), "merge-base", "--is-ancestor", ancestor, commit)
    return subprocess.run(command, capture_output=True, timeout=TIMEOUT_SECONDS).returncode == 0
