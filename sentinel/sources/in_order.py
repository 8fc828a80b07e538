"""Records of a source in the order of time, for a replay."""

import gzip
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field, SecretStr

from sentinel.errors import CorruptFileError, DataUnusableError, NotFoundError
from sentinel.pull_request import PullRequestRecord, parse_json_line, parse_pull_request
from sentinel.settings import Settings, load_settings
from sentinel.sources.kinds import open_source

Order = Literal["opened", "source"]

JSON_LINES, GZIP_MAGIC = "jsonl:", b"\x1f\x8b"


class ReplaySettings(Settings):
    """What sources ask for; a replay of GitHub needs a token that may read the repository."""

    github_token: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("github_token", "GITHUB_TOKEN"), description="token of GitHub")
    github_api_url: str = Field(default="https://api.github.com", description="address of GitHub's API")
    github_app_id: str | None = Field(default=None, description="id of the GitHub App that asks")
    github_app_installation_id: str | None = Field(default=None, description="id of the App's installation")
    github_app_private_key: SecretStr | None = Field(default=None, description="private key of the App")
    github_budget_seconds: float = Field(default=3600.0, gt=0, description="how long reading from GitHub may take")
    git_patches: bool = Field(default=True, description="read the changed lines of git: sources")


def read_records(uri: str) -> Iterator[PullRequestRecord]:
    """Yield the pull requests of a source, in its own order, each once.

    A line of `jsonl:FILE` that landed without a pull request has no number; its place counts as one. Raises
    DataUnusableError at the first line that is no pull request: an index that is skipped would shift all others.
    """
    path = Path(uri.removeprefix(JSON_LINES))
    if uri.startswith(JSON_LINES) and not path.is_dir():
        yield from _read_lines(path)
        return
    seen = set()
    with open_source(uri, load_settings(ReplaySettings)) as source:
        for page in source.pages(lambda repository: None):
            for record in page.records:
                if record.pull_request.key not in seen:
                    seen.add(record.pull_request.key)
                    yield record


def in_order(records: Iterable[PullRequestRecord], order: Order) -> list[tuple[int, PullRequestRecord]]:
    """Return each record with its place in the source, from 0: by time of opening, or as the source has them."""
    indexed = list(enumerate(records))
    if order == "opened":
        indexed.sort(key=lambda entry: (entry[1].pull_request.opened_at, entry[0]))
    return indexed


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
