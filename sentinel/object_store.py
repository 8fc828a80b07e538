"""Files by URI: a folder on one machine, a bucket in a cluster; a file appears whole or not at all."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

import boto3
from boto3.exceptions import S3UploadFailedError
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from sentinel.errors import NotFoundError, PermissionDeniedError, SentinelError, SettingsError, UnavailableError
from sentinel.settings import ObjectStoreSettings

CONNECT_SECONDS, READ_SECONDS, TRIES = 3, 20, 5
NOT_FOUND_CODES = frozenset({"404", "NoSuchKey", "NotFound"})
FIX_CODES = frozenset({"403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "NoSuchBucket"})


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


class BucketStore:
    """Objects of an S3 bucket; an upload that does not end leaves nothing behind."""

    def __init__(self, settings: ObjectStoreSettings, bucket: str, prefix: str) -> None:
        """Use `bucket`, with every name below `prefix`."""
        self.uri = settings.object_store_uri
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self._extra = {"ServerSideEncryption": settings.s3_encryption} if settings.s3_encryption else {}
        access, secret = settings.s3_access_key, settings.s3_secret_key
        self._client: Any = boto3.client(
            "s3", endpoint_url=settings.s3_endpoint, region_name=settings.s3_region,
            aws_access_key_id=access.get_secret_value() if access else None,
            aws_secret_access_key=secret.get_secret_value() if secret else None,
            config=Config(connect_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS,
                          retries={"mode": "standard", "total_max_attempts": TRIES},
                          s3={"addressing_style": "path"},
                          # Servers that are not Amazon's refuse the checksums that boto3 adds of its own accord.
                          request_checksum_calculation="when_required",
                          response_checksum_validation="when_required"),
        )

    def put_file(self, name: str, path: Path) -> None:
        """Upload, in parts where it is large."""
        with self._translated(name):
            self._client.upload_file(str(path), self._bucket, self._prefix + name, ExtraArgs=self._extra)

    def get_file(self, name: str, path: Path) -> None:
        """Download to `path`."""
        with self._translated(name):
            self._client.download_file(self._bucket, self._prefix + name, str(path))

    def put_bytes(self, name: str, content: bytes) -> None:
        """Upload in one request."""
        with self._translated(name):
            self._client.put_object(Bucket=self._bucket, Key=self._prefix + name, Body=content, **self._extra)

    def get_bytes(self, name: str) -> bytes:
        """Download in one request."""
        with self._translated(name):
            answer = self._client.get_object(Bucket=self._bucket, Key=self._prefix + name)
            content: bytes = answer["Body"].read()
            return content

    def names(self, prefix: str) -> list[str]:
        """List page by page."""
        with self._translated(prefix):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._prefix + prefix)
            return sorted(entry["Key"].removeprefix(self._prefix)
                          for page in pages for entry in page.get("Contents", ()))

    def delete(self, name: str) -> None:
        """Delete the object."""
        with self._translated(name):
            self._client.delete_object(Bucket=self._bucket, Key=self._prefix + name)

    @contextmanager
    def _translated(self, name: str) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            raise self._answered(name, error) from error
        except S3UploadFailedError as error:
            if isinstance(error.__context__, ClientError):
                raise self._answered(name, error.__context__) from error
            raise self._unavailable(name, type(error).__name__) from error
        except NoCredentialsError as error:
            raise SettingsError(f"{self.uri}: SENTINEL_S3_ACCESS_KEY and SENTINEL_S3_SECRET_KEY "
                                "are not set") from error
        except BotoCoreError as error:
            raise self._unavailable(name, type(error).__name__) from error

    def _answered(self, name: str, error: ClientError) -> SentinelError:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in NOT_FOUND_CODES:
            return NotFoundError(f"{self.uri}: no object {name}")
        if code in FIX_CODES:
            return PermissionDeniedError(f"{self.uri}: {name}: the store answers {code}; "
                                         "check the bucket's name, its keys and their rights")
        return self._unavailable(name, code)

    def _unavailable(self, name: str, seen: str) -> UnavailableError:
        return UnavailableError(f"{self.uri}: {name}: the store did not answer as it should ({seen}, "
                                f"{TRIES} tries); run this again when it does")
