"""Pull requests from JSON lines: one file or a folder of them, plain or gzip'd.

Each line is one pull request in GitHub's REST shape (or a GraphQL node) that names its
repository in `base.repo.full_name`.
"""

import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from sentinel.errors import CorruptFileError, NotFoundError, PermissionDeniedError, RecordError
from sentinel.pull_request import PullRequestRecord, check_repository, parse_json_line, parse_pull_request
from sentinel.sources.page import Cursor, Page, RejectedRecord, shown_raw

GZIP_MAGIC = b"\x1f\x8b"
PATTERNS = ("*.jsonl", "*.jsonl.gz")
PAGE_RECORDS = 500
PAGE_BYTES = 8_388_608  # of lines, so that pages of large patches stay small in memory
LONGEST_LINE_BYTES = 33_554_432


class JsonLinesSource:
    """The pull requests of some files, in the order of the lines; read whole each time."""

    def __init__(self, path: Path) -> None:
        """Find the files at `path`; raises NotFoundError when there are none."""
        self.uri = f"jsonl:{path}"
        self._paths = _find_files(path)

    def pages(self, saved_cursor: Callable[[str], Cursor | None]) -> Iterator[Page]:
        """Yield pages of one repository each; there is no cursor, `saved_cursor` is not asked."""
        waiting = _WaitingPages(_count_lines(self._paths))
        for path in self._paths:
            for place, line in _lines(path):
                yield from waiting.add(place, line)
        yield from waiting.rest()


@dataclass(slots=True)
class _WaitingPages:
    """What was read and is not yielded yet: repositories may alternate from line to line."""

    total: int | None
    records: dict[str, list[PullRequestRecord]] = field(default_factory=dict)
    rejected: list[RejectedRecord] = field(default_factory=list)
    n_bytes: int = 0

    def add(self, place: str, line: bytes) -> Iterator[Page]:
        """Read one line; yield what is full now."""
        self.n_bytes += len(line)
        payload = None
        try:
            if len(line) > LONGEST_LINE_BYTES:
                raise RecordError(f"line is longer than {LONGEST_LINE_BYTES} bytes")
            payload = parse_json_line(line)
            record = parse_pull_request(payload)
        except RecordError as error:
            self.rejected.append(RejectedRecord(place, str(error), shown_raw(line), _key(payload)))
        else:
            repository = record.pull_request.repository
            self.records.setdefault(repository, []).append(record)
            if len(self.records[repository]) >= PAGE_RECORDS:
                yield self._take(repository)
        if self.n_bytes >= PAGE_BYTES or len(self.rejected) >= PAGE_RECORDS:
            yield from self.rest()

    def rest(self) -> Iterator[Page]:
        """Yield all that waits; a page of nothing but rejected lines has no repository."""
        for repository in list(self.records):
            yield self._take(repository)
        if self.rejected:
            yield self._take("")
        self.n_bytes = 0

    def _take(self, repository: str) -> Page:
        records, rejected = self.records.pop(repository, []), self.rejected
        self.rejected = []
        return Page(repository, tuple(records), tuple(rejected), total=self.total)


def _key(payload: Any) -> str | None:
    """Return OWNER/NAME#N of a payload that cannot be read as a whole, where it says that much."""
    try:
        return f"{check_repository(payload['base']['repo']['full_name'])}#{int(payload['number'])}"
    except (TypeError, KeyError, ValueError, RecordError):
        return None


def _find_files(path: Path) -> list[Path]:
    try:
        if path.is_dir():
            paths = sorted(found for pattern in PATTERNS for found in path.glob(pattern))
            if not paths:
                raise NotFoundError(f"jsonl:{path}: the folder holds no file named *.jsonl or *.jsonl.gz; "
                                    "name the folder that does, or one file")
            return paths
        if not path.exists():
            raise NotFoundError(f"jsonl:{path}: there is no such file or folder; check the path")
    except PermissionError as error:
        raise PermissionDeniedError(f"jsonl:{path}: not allowed to look there; "
                                    "check the permissions of its folders") from error
    return [path]


def _lines(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield (FILE:LINE, line) of every line that is not blank."""
    with _opened(path) as file, _translated_errors(path):
        number = 0
        while line := file.readline(LONGEST_LINE_BYTES + 1):
            number += 1
            if len(line) > LONGEST_LINE_BYTES:
                _skip_to_line_end(file)
            if line.strip():
                yield f"{path.name}:{number}", line


def _count_lines(paths: list[Path]) -> int | None:
    """Return how many lines there are, a tenth of the work of reading them; None for a pipe or a damaged file."""
    if not all(path.is_file() for path in paths):
        return None
    try:
        return sum(_count_lines_of(path) for path in paths)
    except (OSError, CorruptFileError, PermissionDeniedError):
        return None


def _count_lines_of(path: Path) -> int:
    with _opened(path) as file, _translated_errors(path):
        return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1_048_576), b""))


def _skip_to_line_end(file: BinaryIO) -> None:
    while (rest := file.readline(1_048_576)) and not rest.endswith(b"\n"):
        pass


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file, unpacked when its content is gzip; a name in .gz alone does not make it one."""
    try:
        file = path.open("rb")
    except PermissionError as error:
        raise PermissionDeniedError(f"jsonl:{path}: not allowed to read it; check its permissions") from error
    with file:
        is_gzip = file.peek(2)[:2] == GZIP_MAGIC
        if path.suffix == ".gz" and not is_gzip:
            raise CorruptFileError(f"jsonl:{path}: the name says gzip, the content is not; "
                                   "fetch the file again, or drop .gz from the name if it is plain text")
        yield io.BufferedReader(gzip.GzipFile(fileobj=file), 1_048_576) if is_gzip else file


@contextmanager
def _translated_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise CorruptFileError(f"jsonl:{path}: the gzip file is cut short or damaged ({error}); "
                               "fetch the file again") from error
