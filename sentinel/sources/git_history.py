"""Pull requests derived from the history of a local clone: no token, no network.

A merge commit "Merge pull request #N from owner/branch" is one pull request, and so is a
commit whose title ends in "(#N)"; its change is against the first parent. What a history
cannot give is approximate: `created_at` is the earliest author date of the merged commits
(of a squash: its own author date), `user` the author of most of them, and pull requests
that were closed unmerged are not there at all.

An author is the login that GitHub's noreply address holds (ID+LOGIN@users.noreply.github.com),
else the author's name after the repository's mailmap: names are what histories and people
share, addresses would be personal data.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from sentinel.errors import NotFoundError, RecordError
from sentinel.pull_request import PullRequestRecord, parse_pull_request
from sentinel.sources.git_branches import Author
from sentinel.sources.git_landed import Landed, count_landed, landed_commits
from sentinel.sources.git_log import LoggedCommit
from sentinel.sources.git_process import GitRepository
from sentinel.sources.git_titles import Mention
from sentinel.sources.page import Cursor, Page, RejectedRecord, shown_raw

PAGE_RECORDS = 200
PAGE_PATCH_CHARACTERS = 8_388_608
REMOTE_URL = re.compile(
    r"(?:(?:https?|ssh|git)://[^/\s]+/|[^/\s]+:)(?:\S*/)?(?P<owner>[^/\s]+)/(?P<name>[^/\s]+?)(?:\.git)?/?")
NO_NAME = re.compile(r"[^\w.-]+")
COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
DIGITS = re.compile(r"\d{1,15}")
NOREPLY = re.compile(r"(?:\d+\+)?(?P<login>[^@+]+)@users\.noreply\.github\.com", re.IGNORECASE)


class GitSettings(Protocol):
    """What this source reads of the settings."""

    git_patches: bool


@contextmanager
def open_git_history(path: Path, settings: GitSettings) -> Iterator["GitHistorySource"]:
    """Open the clone at `path`; raises NotFoundError, PermissionDeniedError or CorruptFileError."""
    yield GitHistorySource(path, GitRepository(path), settings.git_patches)


class GitHistorySource:
    """The pull requests that landed on the default branch, oldest first."""

    def __init__(self, path: Path, git: GitRepository, with_patches: bool) -> None:
        """Look at the repository; its history is read by `pages`."""
        self.uri = f"git:{path}"
        self._git = git
        self._with_patches = with_patches
        if git.ask("rev-parse", "--git-dir") is None:
            raise NotFoundError(f"{self.uri}: no git repository there; name the top folder of a clone")
        if git.ask("rev-parse", "--is-shallow-repository") == "true":
            raise NotFoundError(f"{self.uri}: a shallow clone lacks most of the history; "
                                f"get it by: git -C {path} fetch --unshallow")
        self._names = _read_names(git)

    def pages(self, saved_cursor: Callable[[str], Cursor | None]) -> Iterator[Page]:
        """Yield what landed after the saved commit; everything when that is not in the history any more."""
        head = self._git.ask("rev-parse", "--verify", "--quiet", f"{self._names.head}^{{commit}}")
        if head is None:
            return
        begin = self._begin(saved_cursor(self._names.repository), head)
        if begin == head:
            return
        page = _PageInHand(self._names, count_landed(self._git, begin, head))
        for landed in landed_commits(self._git, begin, head, self._with_patches):
            page.add(landed)
            if page.is_full:
                yield page.take(self._cursor(landed.commit.sha))
        yield page.take(self._cursor(head))

    def _begin(self, cursor: Cursor | None, head: str) -> str | None:
        """Return the commit that was read last, or None to read everything."""
        if cursor is None or cursor.get("patches") != self._with_patches:
            return None
        commit = str(cursor.get("commit"))
        is_known = COMMIT.fullmatch(commit) and self._git.ask("merge-base", "--is-ancestor", commit, head) is not None
        return commit if is_known else None

    def _cursor(self, commit: str) -> Cursor:
        return {"commit": commit, "patches": self._with_patches}


@dataclass(frozen=True, slots=True)
class _Names:
    """What the clone calls things; `is_hosted` tells whether `repository` is its name at a hosting site."""

    repository: str
    is_hosted: bool
    head: str
    base_ref: str | None


class _PageInHand:
    """The page that is being filled."""

    def __init__(self, names: _Names, total: int | None) -> None:
        self._names, self._total = names, total
        self._records: list[PullRequestRecord] = []
        self._rejected: list[RejectedRecord] = []
        self._patch_characters = 0

    @property
    def is_full(self) -> bool:
        n_read = len(self._records) + len(self._rejected)
        return n_read >= PAGE_RECORDS or self._patch_characters >= PAGE_PATCH_CHARACTERS

    def add(self, landed: Landed) -> None:
        try:
            if landed.commit.problem is not None:
                raise RecordError(landed.commit.problem)
            self._records.append(parse_pull_request(_to_payload(landed, self._names)))
            self._patch_characters += landed.commit.patch_characters
        except RecordError as error:
            place = f"{self._names.repository}#{landed.mention.number}"
            raw = shown_raw(f"{landed.commit.sha}\n{landed.commit.message}".encode())
            self._rejected.append(RejectedRecord(place, f"commit {landed.commit.sha}: {error}", raw))

    def take(self, cursor: Cursor) -> Page:
        """Return what was gathered and begin anew."""
        page = Page(self._names.repository, tuple(self._records), tuple(self._rejected), cursor, self._total)
        self._records, self._rejected, self._patch_characters = [], [], 0
        return page


def _read_names(git: GitRepository) -> _Names:
    """Name the repository after its remote, else after its folder; prefer the remote's default branch.

    What is checked out may be anybody's working branch.
    """
    url = REMOTE_URL.fullmatch(git.ask("config", "--get", "remote.origin.url") or "")
    folder = git.path.parent if git.path.name == ".git" else git.path
    local = "local/" + (NO_NAME.sub("-", folder.name.removesuffix(".git")) or "repository")
    repository = local if url is None else f"{url['owner']}/{url['name']}"
    default = "refs/remotes/origin/HEAD"
    head = default if git.ask("rev-parse", "--verify", "--quiet", f"{default}^{{commit}}") else "HEAD"
    base_ref = git.ask("symbolic-ref", "--quiet", "--short", head)
    return _Names(repository, url is not None, head, base_ref and base_ref.removeprefix("origin/"))


def _to_payload(landed: Landed, names: _Names) -> dict[str, Any]:
    """Write the pull request in GitHub's REST shape."""
    commit, mention, branch = landed.commit, landed.mention, landed.branch
    landed_at = _seconds(commit.committed_at)
    authored_at = branch.first_authored_at
    authored_at = _seconds(commit.authored_at) if authored_at is None else authored_at
    time = _to_iso(landed_at)
    return {
        "number": mention.number,
        "title": mention.title,
        "body": mention.body,
        "user": _user(branch.author or (commit.author_name, commit.author_email)),
        # Clocks are wrong at times: work is not younger than its landing, nor older than the epoch.
        "created_at": _to_iso(authored_at if 0 < authored_at < landed_at else landed_at),
        "updated_at": time, "closed_at": time, "merged_at": time,
        "merge_commit_sha": commit.sha,
        "base": {"ref": names.base_ref, "repo": {"full_name": names.repository}},
        "head": _head(commit, mention, names),
        "commits": branch.commits or None,
        "additions": commit.additions, "deletions": commit.deletions, "changed_files": commit.changed_files,
        "files": commit.files,
    }


def _head(commit: LoggedCommit, mention: Mention, names: _Names) -> dict[str, Any]:
    """Return the branch, where the message names it; a fork is taken to have the repository's name."""
    is_fork_known = mention.owner is not None and names.is_hosted
    name = names.repository.partition("/")[2]
    return {
        "ref": mention.branch,
        "sha": commit.parents[1] if len(commit.parents) == 2 else None,
        "repo": {"full_name": f"{mention.owner}/{name}"} if is_fork_known else None,
    }


def _user(author: Author) -> dict[str, str] | None:
    name, email = author
    noreply = NOREPLY.fullmatch(email)
    login = noreply["login"] if noreply else name.strip() or email.partition("@")[0]
    is_bot = login.endswith("[bot]") or name.endswith("[bot]")
    return {"login": login, "type": "Bot" if is_bot else "User"} if login else None


def _seconds(text: str) -> int:
    if not DIGITS.fullmatch(text):
        raise RecordError(f"date: seen {text[:20]!r}, expected seconds since 1970")
    return int(text)


def _to_iso(seconds: int) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat()
    except (OverflowError, ValueError, OSError) as error:
        raise RecordError(f"date: seen {seconds} seconds since 1970, expected a time before 2100") from error
