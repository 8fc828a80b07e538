"""The last good copy of the champion on disk: what every worker loads, and what is left when MLflow is down.

    FOLDER/current                          names the copy in use; replaced in one step
    FOLDER/COPY/champion.json               written last, with the hash of every other file
    FOLDER/COPY/{model.onnx,verdicts.parquet,quantiles.npy,histories/*.history}
    FOLDER/last_attempt.json                when MLflow was last asked, and what it answered
"""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from sentinel.errors import CorruptFileError, NotFoundError, PermissionDeniedError

MODEL, VERDICTS, QUANTILES, HISTORIES = "model.onnx", "verdicts.parquet", "quantiles.npy", "histories"
FACTS, CURRENT, LAST_ATTEMPT, LOCK = "champion.json", "current", "last_attempt.json", ".lock"
UNFINISHED = ".unfinished-"
KEPT_COPIES = 2  # a worker may still read the one before


@dataclass(frozen=True, slots=True)
class ChampionFacts:
    """Where a copy came from; `name` sorts and names it."""

    name: str
    model_name: str
    registry_version: str  # MLflow's number
    model_version: str  # the model's own name, under which its verdicts are stored
    mlflow_run_id: str | None
    features_run_id: str  # the snapshot of the histories
    feature_fingerprint: str
    n_pull_requests: int
    opened_until: str | None
    copied_at: str
    feature_names: tuple[str, ...]
    histories: Mapping[str, str]  # file by repository, in the order of the quantiles
    files: Mapping[str, str]  # sha256 by name


@dataclass(frozen=True, slots=True)
class Attempt:
    """The last time that MLflow was asked, and the last time that it answered as it should."""

    at: str
    is_good: bool
    text: str
    last_good_at: str | None = None  # filled in by `save_attempt`; files of older scorers do not tell


class ChampionFolder:
    """The folder of copies of one scorer."""

    def __init__(self, folder: Path) -> None:
        """Use `folder`; nothing is read or made yet."""
        self.folder = folder

    def current_name(self) -> str | None:
        """Return the name of the copy in use, or None where there is none yet."""
        try:
            return (self.folder / CURRENT).read_text().strip() or None
        except FileNotFoundError:
            return None

    def facts(self) -> ChampionFacts:
        """Read what the copy in use is; raises NotFoundError or CorruptFileError."""
        name = self.current_name()
        if name is None:
            raise NotFoundError(f"no champion was copied yet to {self.folder}; train one with `python -m ml_training`")
        try:
            fields: dict[str, Any] = orjson.loads((self.folder / name / FACTS).read_bytes())
            fields["feature_names"] = tuple(fields["feature_names"])
            return ChampionFacts(**fields)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise _altered(name, FACTS, f"cannot be read ({type(error).__name__})") from error

    def read(self, facts: ChampionFacts, file: str) -> bytes:
        """Return a file of the copy; raises CorruptFileError where it is not what was copied."""
        path = self.folder / facts.name / file
        try:
            content = path.read_bytes()
        except OSError as error:
            raise _altered(facts.name, file, str(error.strerror)) from error
        if hashlib.sha256(content).hexdigest() != facts.files.get(file):
            raise _altered(facts.name, file, "altered or cut short since it was copied")
        return content

    @contextmanager
    def unfinished(self) -> Iterator[Path]:
        """Yield an empty folder to fill; what is left of it afterwards is removed."""
        with self._told():
            self.folder.mkdir(parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=self.folder))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def publish(self, unfinished: Path, facts: ChampionFacts) -> None:
        """Make a filled folder the copy in use, in one step."""
        (unfinished / FACTS).write_bytes(orjson.dumps(asdict(facts), option=orjson.OPT_INDENT_2))
        target = self.folder / facts.name
        shutil.rmtree(target, ignore_errors=True)
        unfinished.rename(target)
        self._write(CURRENT, facts.name.encode())
        self._remove_old(facts.name)

    def last_attempt(self) -> Attempt | None:
        """Return what MLflow last answered, or None."""
        try:
            return Attempt(**orjson.loads((self.folder / LAST_ATTEMPT).read_bytes()))
        except (OSError, ValueError, TypeError):
            return None

    def save_attempt(self, attempt: Attempt) -> None:
        """Keep what MLflow answered, for `/model` and for the other workers; makes the folder on the first day."""
        with self._told():
            self.folder.mkdir(parents=True, exist_ok=True)
        before = self.last_attempt()
        last_good_at = attempt.at if attempt.is_good else before and before.last_good_at
        self._write(LAST_ATTEMPT, orjson.dumps(asdict(replace(attempt, last_good_at=last_good_at))))

    @contextmanager
    def locked(self) -> Iterator[bool]:
        """Yield whether this process alone may refresh the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self.folder / LOCK, "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Say which setting names a folder that cannot be made or written to."""
        try:
            yield
        except OSError as error:
            raise PermissionDeniedError(f"{self.folder}: {error.strerror}; "
                                        "name another in SENTINEL_CHAMPION_FOLDER") from error

    def _write(self, name: str, content: bytes) -> None:
        unfinished = self.folder / f"{UNFINISHED}{name}-{os.getpid()}"
        unfinished.write_bytes(content)
        unfinished.replace(self.folder / name)

    def _remove_old(self, current: str) -> None:
        copies = sorted((path for path in self.folder.iterdir() if (path / FACTS).exists() and path.name != current),
                        key=lambda path: path.stat().st_mtime, reverse=True)
        for path in copies[KEPT_COPIES - 1:]:
            shutil.rmtree(path, ignore_errors=True)


def _altered(name: str, file: str, seen: str) -> CorruptFileError:
    return CorruptFileError(f"copy {name} of the champion: {file} {seen}; the next look at MLflow copies it again")


def hash_files(folder: Path) -> dict[str, str]:
    """Return the sha256 of every file below `folder` by its name there."""
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*")) if path.is_file()}
