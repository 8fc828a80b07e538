"""The files of an S3 bucket, Amazon's or another's; a file appears whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from boto3.exceptions import S3UploadFailedError
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from sentinel.errors import NotFoundError, PermissionDeniedError, SentinelError, SettingsError, UnavailableError
from sentinel.settings import ObjectStoreSettings

CONNECT_SECONDS, READ_SECONDS, TRIES = 3, 20, 5
NOT_FOUND_CODES = frozenset({"404", "NoSuchKey", "NotFound"})
FIX_CODES = frozenset({"403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "NoSuchBucket"})


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
