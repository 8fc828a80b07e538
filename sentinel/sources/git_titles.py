"""Recognise the pull request that a commit landed, by the words that hosting sites write."""

import re
from dataclasses import dataclass

# What git searches for before it computes any diff; `read_mention` then decides.
SEARCHES = (r"\(#[0-9]+\)", r"^Merge pull request #", r"^Merged in .*\(pull request #", r"^See merge request ")

GITHUB_MERGE = re.compile(r"Merge pull request #(?P<number>\d{1,15}) from (?P<owner>[^/\s]+)/(?P<branch>\S+)")
BITBUCKET_CLOUD = re.compile(r"Merged in (?P<branch>\S+) \(pull request #(?P<number>\d{1,15})\)")
BITBUCKET_SERVER = re.compile(r"Merge pull request #(?P<number>\d{1,15}) in \S+ from (?P<branch>\S+) to \S+")
GITLAB = re.compile(r"^See merge request \S*?!(?P<number>\d{1,15})$", re.MULTILINE)
GITLAB_BRANCH = re.compile(r"Merge branch '(?P<branch>[^']+)'")
NUMBERED_TITLE = re.compile(r"(?P<title>.*\S)\s+\(#(?P<number>\d{1,15})\)")


@dataclass(frozen=True, slots=True)
class Mention:
    """The pull request that a commit's message names."""

    number: int
    title: str
    body: str | None
    branch: str | None = None
    owner: str | None = None


def read_mention(message: str) -> Mention | None:
    """Return the pull request that `message` says it landed, or None for any other commit."""
    subject, _, rest = message.strip().partition("\n")
    subject, rest = subject.strip(), rest.strip()
    for form in (GITHUB_MERGE, BITBUCKET_SERVER, BITBUCKET_CLOUD):
        if found := form.fullmatch(subject):
            return _merge(found, subject, rest)
    if numbered := NUMBERED_TITLE.fullmatch(subject):
        return Mention(int(numbered["number"]), numbered["title"], rest or None)
    if found := GITLAB.search(rest):
        branch = GITLAB_BRANCH.match(subject)
        mention = _merge(found, subject, GITLAB.sub("", rest).strip())
        return mention if branch is None else Mention(mention.number, mention.title, mention.body, branch["branch"])
    return None


def _merge(found: re.Match[str], subject: str, rest: str) -> Mention:
    """Read a merge's message: the pull request's title is the first line below the subject."""
    title, _, body = rest.partition("\n")
    parts = found.groupdict()
    return Mention(int(parts["number"]), title.strip() or subject, body.strip() or None,
                   parts.get("branch"), parts.get("owner"))
