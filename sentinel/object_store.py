"""Files by URI: a folder on one machine, a bucket in a cluster; a file appears whole or not at all."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from sentinel.errors import NotFoundError, PermissionDeniedError, SettingsError, UnavailableError
from sentinel.settings import ObjectStoreSettings


class ObjectStore(Protocol):
    """Named files; names use "/" and never begin with it."""

    uri: str

    def put_file(self, name: str, path: Path) -> None:
        """Publish the file at `path` under `name`, replacing what was there, whole or not at all."""
        ...

    def get_file(self, name: str, path: Path) -> None:
        """Copy `name` to `path`; raises NotFoundError."""
        ...

    def put_bytes(self, name: str, content: bytes) -> None:
        """Publish `content` under `name`, whole or not at all."""
        ...

    def get_bytes(self, name: str) -> bytes:
        """Return the content of `name`; raises NotFoundError."""
        ...

    def names(self, prefix: str) -> list[str]:
        """List the names that begin with `prefix`, sorted."""
        ...

    def delete(self, name: str) -> None:
        """Remove `name`; nothing happens where it is not there."""
        ...


def open_object_store(settings: ObjectStoreSettings) -> ObjectStore:
    """Return the store of the URI; raises SettingsError for a URI of another kind."""
    parts = urlsplit(settings.object_store_uri)
    if parts.scheme == "file" and parts.path and not parts.netloc:
        return FolderStore(settings.object_store_uri, Path(unquote(parts.path)))
    if parts.scheme == "s3" and parts.netloc:
        from sentinel.bucket_store import BucketStore  # its client takes half a second to import
        return BucketStore(settings, parts.netloc, parts.path.strip("/"))
    raise SettingsError(f"SENTINEL_OBJECT_STORE_URI: seen {settings.object_store_uri!r}, "
                        "expected s3://BUCKET/PREFIX or file:///FOLDER")


class FolderStore:
    """Files below a folder of this machine."""

    def __init__(self, uri: str, folder: Path) -> None:
        """Use `folder`; it is made when the first file is published."""
        self.uri = uri
        self._folder = folder

    def put_file(self, name: str, path: Path) -> None:
        """Copy beside the target, then rename, which is atomic."""
        with self._published(name) as target:
            shutil.copyfile(path, target)

    def get_file(self, name: str, path: Path) -> None:
        """Copy the file out of the folder."""
        with self._translated(name):
            shutil.copyfile(self._folder / name, path)

    def put_bytes(self, name: str, content: bytes) -> None:
        """Write beside the target, then rename."""
        with self._published(name) as target:
            target.write_bytes(content)

    def get_bytes(self, name: str) -> bytes:
        """Read the file."""
        with self._translated(name):
            return (self._folder / name).read_bytes()

    def names(self, prefix: str) -> list[str]:
        """Walk the folder that the prefix names."""
        start = self._folder / prefix.rpartition("/")[0]
        found = (path.relative_to(self._folder).as_posix() for path in start.rglob("*")
                 if path.is_file() and not path.name.startswith(".unfinished-"))
        return sorted(name for name in found if name.startswith(prefix))

    def delete(self, name: str) -> None:
        """Unlink the file."""
        with self._translated(name):
            (self._folder / name).unlink(missing_ok=True)

    @contextmanager
    def _published(self, name: str) -> Iterator[Path]:
        target = self._folder / name
        with self._translated(name):
            target.parent.mkdir(parents=True, exist_ok=True)
            unfinished = target.parent / f".unfinished-{secrets.token_hex(8)}"
            try:
                yield unfinished
                with open(unfinished, "rb") as written:
                    os.fsync(written.fileno())
                os.replace(unfinished, target)
            finally:
                unfinished.unlink(missing_ok=True)

    @contextmanager
    def _translated(self, name: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise NotFoundError(f"{self.uri}: no file {name}") from error
        except PermissionError as error:
            raise PermissionDeniedError(f"{self.uri}: may not write or read {name}; "
                                        "give this user the right to the folder, or name another") from error
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            raise PermissionDeniedError(f"{self.uri}: {name}: a file stands where a folder is expected, or a folder "
                                        "where a file is; move it away, or name another folder") from error
        except OSError as error:
            raise UnavailableError(f"{self.uri}: {name}: {error.strerror}; make room or mend the disk, "
                                   "then run this again") from error
