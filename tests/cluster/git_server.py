"""The Git server that Argo CD reads: a bare repository on this machine, and a clone that work is done in."""

import os
import subprocess
from pathlib import Path

AUTHOR = {"GIT_AUTHOR_NAME": "trial", "GIT_AUTHOR_EMAIL": "trial@example.invalid",
          "GIT_COMMITTER_NAME": "trial", "GIT_COMMITTER_EMAIL": "trial@example.invalid"}


class GitServer:
    """A repository with the branches `staging` and `main`."""

    def __init__(self, folder: Path, source: Path) -> None:
        """Begin both branches at the newest commit of the checkout `source`."""
        self.bare, self.clone = folder / "sentinel.git", folder / "clone"
        self._git("init", "--quiet", "--bare", "--initial-branch=main", str(self.bare), at=folder)
        self._git("push", "--quiet", str(self.bare), "HEAD:refs/heads/main", "HEAD:refs/heads/staging", at=source)
        self._git("clone", "--quiet", "--branch", "staging", str(self.bare), str(self.clone), at=folder)

    @property
    def url(self) -> str:
        """Return the address that Argo CD is given."""
        return f"file://{self.bare}"

    def commit(self, subject: str) -> str:
        """Commit all that changed in the clone to its branch, push, and return the commit."""
        self._git("add", "--all")
        self._git("commit", "--quiet", "-m", subject)
        return self.push()

    def push(self) -> str:
        """Push the branch that is checked out and return its newest commit."""
        self._git("push", "--quiet", "origin", "HEAD")
        return self._git("rev-parse", "HEAD").strip()

    def revert(self, *commits: str) -> str:
        """Undo commits by new ones, the newest first, push, and return the last."""
        for commit in commits:
            self._git("revert", "--no-edit", commit)
        return self.push()

    def merge_into_main(self) -> str:
        """Promote: merge `staging` into `main` by a merge commit, push, go back to `staging`."""
        self._git("switch", "--quiet", "main")
        self._git("merge", "--quiet", "--no-ff", "-m", "Promote staging", "origin/staging")
        commit = self.push()
        self._git("switch", "--quiet", "staging")
        return commit

    def tree_of(self, branch: str, path: str) -> str:
        """Return the hash of a folder's content on a branch."""
        return self._git("rev-parse", f"origin/{branch}:{path}").strip()

    def _git(self, *arguments: str, at: Path | None = None) -> str:
        done = subprocess.run(["git", *arguments], cwd=at or self.clone, env=os.environ | AUTHOR, text=True,
                              capture_output=True, timeout=120)
        if done.returncode:
            raise AssertionError(f"git {' '.join(arguments)}:\n{done.stdout}{done.stderr}")
        return done.stdout
