"""Files by URI, in a folder and in the bucket of a real S3-speaking server on loopback."""

import os
import stat
import urllib.request
from collections.abc import Iterator

import pytest

from sentinel.errors import NotFoundError, PermissionDeniedError, SettingsError, UnavailableError
from sentinel.object_store import FolderStore, ObjectStore, open_object_store
from sentinel.settings import ObjectStoreSettings
from tests.s3_server import s3_client, s3_server

PART_BYTES = 9 * 2**20  # above boto3's threshold of 8 MiB, so that it is sent in parts


@pytest.fixture(scope="module")
def s3_endpoint() -> Iterator[str]:
    """Run a server that speaks S3."""
    with s3_server() as endpoint:
        yield endpoint


@pytest.fixture
def bucket_settings(s3_endpoint) -> ObjectStoreSettings:
    """Return the settings of an empty bucket."""
    urllib.request.urlopen(urllib.request.Request(f"{s3_endpoint}/moto-api/reset", method="POST"), timeout=10).close()
    s3_client(s3_endpoint).create_bucket(Bucket="bucket")
    return ObjectStoreSettings(object_store_uri="s3://bucket/some/prefix", s3_endpoint=s3_endpoint,
                               s3_access_key="key", s3_secret_key="secret", s3_encryption="AES256")


@pytest.fixture(params=["folder", "bucket"])
def store(request, tmp_path) -> ObjectStore:
    """Return an empty store of each kind."""
    if request.param == "folder":
        return open_object_store(ObjectStoreSettings(object_store_uri=f"file://{tmp_path}/with%20space"))
    return open_object_store(request.getfixturevalue("bucket_settings"))


def test_bytes_come_back(store):
    store.put_bytes("features/run/part", b"first")
    store.put_bytes("features/run/part", b"second")

    assert b"second" == store.get_bytes("features/run/part")


def test_large_file_comes_back(store, tmp_path):
    content = os.urandom(PART_BYTES)
    (tmp_path / "sent").write_bytes(content)

    store.put_file("features/run/part", tmp_path / "sent")
    store.get_file("features/run/part", tmp_path / "received")

    assert content == (tmp_path / "received").read_bytes()


def test_names_are_those_below_the_prefix_sorted(store):
    for name in ("features/b/x", "features/a/y", "features-old/z", "histories/a/y"):
        store.put_bytes(name, b"")

    assert ["features/a/y", "features/b/x"] == store.names("features/")
    assert ["features/a/y"] == store.names("features/a")
    assert [] == store.names("verdicts/")


def test_deleted_name_is_gone_and_deleting_it_again_is_no_error(store):
    store.put_bytes("features/x", b"")

    store.delete("features/x")
    store.delete("features/x")

    assert [] == store.names("")


def test_absent_name_is_not_found(store, tmp_path):
    for read in (lambda: store.get_bytes("features/none"), lambda: store.get_file("features/none", tmp_path / "x")):
        with pytest.raises(NotFoundError, match="features/none"):
            read()


@pytest.mark.parametrize("uri", ["s3://", "file://host/path", "ftp://bucket/x", "/plain/path", "file:"])
def test_other_uris_are_refused_with_what_is_expected(uri):
    with pytest.raises(SettingsError, match="expected s3://BUCKET/PREFIX or file:///FOLDER"):
        open_object_store(ObjectStoreSettings(object_store_uri=uri))


def test_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    store = FolderStore("file:///x", tmp_path)
    store.put_bytes("features/x", b"old")

    with pytest.raises(NotFoundError):
        store.put_file("features/x", tmp_path / "absent")

    assert b"old" == store.get_bytes("features/x")
    assert ["x"] == os.listdir(tmp_path / "features")


def test_published_file_can_be_read_by_other_users(tmp_path):
    FolderStore("file:///x", tmp_path).put_bytes("features/x", b"")

    assert (tmp_path / "features" / "x").stat().st_mode & stat.S_IRGRP


def test_file_in_the_place_of_a_folder_is_to_be_mended(tmp_path):
    (tmp_path / "features").write_bytes(b"")

    with pytest.raises(PermissionDeniedError, match="features/x"):
        FolderStore("file:///x", tmp_path).put_bytes("features/x", b"")


def test_objects_are_encrypted_as_asked_and_below_the_prefix(bucket_settings, s3_endpoint):
    open_object_store(bucket_settings).put_bytes("features/x", b"content")

    stored = s3_client(s3_endpoint).head_object(Bucket="bucket", Key="some/prefix/features/x")
    assert "AES256" == stored["ServerSideEncryption"]


def test_absent_bucket_is_to_be_mended(bucket_settings, tmp_path):
    store = open_object_store(bucket_settings.model_copy(update={"object_store_uri": "s3://absent/x"}))
    (tmp_path / "sent").write_bytes(b"content")

    for write in (lambda: store.put_bytes("features/x", b""), lambda: store.put_file("features/x", tmp_path / "sent")):
        with pytest.raises(PermissionDeniedError, match="the store answers NoSuchBucket; check the bucket's name"):
            write()


def test_store_that_is_away_is_temporary_and_hides_the_keys(bucket_settings):
    away = bucket_settings.model_copy(update={"s3_endpoint": "http://127.0.0.1:9"})

    with pytest.raises(UnavailableError, match="the store did not answer as it should") as raised:
        open_object_store(away).get_bytes("features/x")

    assert "secret" not in str(raised.value)
