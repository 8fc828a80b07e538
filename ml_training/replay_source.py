"""Records of a source in its own order, for a replay."""

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sentinel.errors import CorruptFileError, DataUnusableError, NotFoundError, SettingsError
from sentinel.pull_request import PullRequestRecord, parse_json_line, parse_pull_request
from sentinel.sources.git_history import open_git_history

JSON_LINES, GIT, GZIP_MAGIC = "jsonl:", "git:", b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class ReplaySettings:
    """What a git source asks for: the added lines are an input."""

    git_patches: bool = True


def read_records(uri: str) -> Iterator[PullRequestRecord]:
    """Yield the pull requests of `jsonl:PATH` or `git:PATH` in the source's order.

    A change that landed without a pull request has no number; its place counts as one. Raises DataUnusableError
    at the first line that is no pull request: an index that is skipped would shift all others.
    """
    if uri.startswith(JSON_LINES):
        yield from _read_lines(Path(uri.removeprefix(JSON_LINES)))
        return
    if not uri.startswith(GIT):
        raise SettingsError(f"source {uri!r}: a replay needs the whole history at once; "
                            "expected git:PATH or jsonl:PATH")
    with open_git_history(Path(uri.removeprefix(GIT)), ReplaySettings()) as source:
        for page in source.pages(lambda repository: None):
            yield from page.records


def _read_lines(path: Path) -> Iterator[PullRequestRecord]:
    if not path.is_file():
        raise NotFoundError(f"{path}: no such file; name one file of JSON lines, plain or gzip'd")
    with open(path, "rb") as file:
        is_gzip = file.read(2) == GZIP_MAGIC
    try:
        with gzip.open(path) if is_gzip else open(path, "rb") as lines:
            for index, line in enumerate(lines):
                yield _parse(path, index, line)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise CorruptFileError(f"{path}: cut short or no gzip ({error}); copy it again") from error


def _parse(path: Path, index: int, line: bytes) -> PullRequestRecord:
    try:
        return parse_pull_request(parse_json_line(line), number=index + 1)
    except DataUnusableError as error:
        raise DataUnusableError(f"{path}:{index + 1}: {error}; correct or remove the line") from error
