"""Walk the commits that landed pull requests on the default branch, oldest first."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from sentinel.sources.git_branches import BRANCH_OPTIONS, Branch, BranchReader, read_fields
from sentinel.sources.git_log import LOG_OPTIONS, PATCH_OPTIONS, LogFormat, LoggedCommit
from sentinel.sources.git_process import GitRepository, MissingObjectError
from sentinel.sources.git_titles import SEARCHES, Mention, read_mention

MAX_MISSING = 50  # commits to pass over before the clone counts as damaged
SEARCH_OPTIONS = ("--first-parent", "--extended-regexp", *(f"--grep={search}" for search in SEARCHES))


@dataclass(frozen=True, slots=True)
class Landed:
    """A commit, the pull request that its message names, and the branch that it merged."""

    commit: LoggedCommit
    mention: Mention
    branch: Branch


def landed_commits(git: GitRepository, begin: str | None, head: str, with_patches: bool) -> Iterator[Landed]:
    """Yield what landed after `begin` up to `head`; of several commits that name one number, the first.

    A commit whose files are missing in the clone is passed over and yielded with its `problem`;
    raises CorruptFileError when that happens too often.
    """
    seen = set() if begin is None else _numbers_until(git, begin)
    for _ in range(MAX_MISSING):
        try:
            for landed in _walk(git, _span(begin, head), with_patches):
                begin = landed.commit.sha
                if landed.mention.number not in seen:
                    seen.add(landed.mention.number)
                    yield landed
            return
        except MissingObjectError as error:
            broken = _first(git, _span(begin, head))
            if broken is None:
                raise
            mention = read_mention(broken.message)
            if mention is not None and mention.number not in seen:
                seen.add(mention.number)
                broken.problem = f"its files cannot be read: {error}"
                yield Landed(broken, mention, Branch())
            begin = broken.sha
    raise MissingObjectError(f"git:{git.path}: files of more than {MAX_MISSING} commits are missing; clone it again")


def count_landed(git: GitRepository, begin: str | None, head: str) -> int | None:
    """Return about how many pull requests `landed_commits` will yield."""
    count = git.ask("rev-list", "--count", *SEARCH_OPTIONS, _span(begin, head), "--")
    return None if count is None else int(count)


def _walk(git: GitRepository, span: str, with_patches: bool) -> Iterator[Landed]:
    """Yield each one when it is certain that git wrote it to the end."""
    log_format, branches, complete = LogFormat(), None, None
    options = [*LOG_OPTIONS, *(PATCH_OPTIONS if with_patches else ()), *SEARCH_OPTIONS, log_format.option]
    with ExitStack() as streams:
        log = streams.enter_context(git.stream(*options, span, "--"))
        for commit in log_format.commits(log):
            if complete is not None:
                yield complete
                complete = None
            mention, branch = read_mention(commit.message), Branch()
            if mention is not None and len(commit.parents) > 1:
                branches = branches or BranchReader(streams.enter_context(git.stream(*BRANCH_OPTIONS, span, "--")))
                branch = branches.read(commit.parents[0], commit.sha)
            if mention is not None:
                complete = Landed(commit, mention, branch)
    if complete is not None:
        yield complete


def _numbers_until(git: GitRepository, end: str) -> set[int]:
    """Return the numbers that the history up to `end` names, from its messages alone."""
    with git.stream("log", "-z", *SEARCH_OPTIONS, "--no-notes", "--encoding=UTF-8", "--format=%B", end, "--") as log:
        messages = read_fields(log)
        mentions = (read_mention(message.decode(errors="backslashreplace")) for message in messages)
        return {mention.number for mention in mentions if mention is not None}


def _first(git: GitRepository, span: str) -> LoggedCommit | None:
    """Return the oldest commit of the span, without its changes."""
    shas = git.ask("rev-list", "--reverse", *SEARCH_OPTIONS, span, "--")
    if not shas:
        return None
    log_format = LogFormat()
    with git.stream("log", "-z", "-1", "--no-patch", "--encoding=UTF-8", log_format.option, shas.split()[0]) as log:
        return next(log_format.commits(log), None)


def _span(begin: str | None, head: str) -> str:
    return head if begin is None else f"{begin}..{head}"
