"""What a bucket does when the server or the network fails."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from sentinel.errors import NotFoundError, UnavailableError
from sentinel.object_store import ObjectStore, open_object_store
from sentinel.provenance import Provenance, find_latest_run, publish_provenance
from tests.s3_server import BUCKET, CUT, FaultyFront, bucket_settings, faulty_front, s3_client, s3_server

PART_BYTES = 9 * 2**20  # above boto3's threshold of 8 MiB, so that it is sent in parts
ENDLESS = 1_000


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Run a server that speaks S3."""
    with s3_server() as endpoint:
        yield endpoint


@pytest.fixture
def front(server, monkeypatch) -> Iterator[FaultyFront]:
    """Stand between the store and the server, without the pauses between tries."""
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda self, context: 0)
    with faulty_front(server) as front:
        yield front


@pytest.fixture
def store(front, request) -> ObjectStore:
    """Return a store of this test, behind the front."""
    return open_object_store(bucket_settings(front.endpoint, request.node.name))


def fails_puts(times: int, status: int):
    """Return a fault that the first `times` uploads meet."""
    left = [times]

    def fault(method: str, path: str) -> int | None:
        if method != "PUT" or left[0] == 0:
            return None
        left[0] -= 1
        return status
    return fault


@pytest.mark.parametrize("status", [500, 503, CUT])
def test_upload_that_fails_twice_comes_through(store, front, status):
    front.fault = fails_puts(2, status)

    store.put_bytes("features/x", b"content")

    assert (2, b"content") == (len(front.faults), store.get_bytes("features/x"))


@pytest.mark.parametrize("status", [500, 503, CUT])
def test_upload_that_always_fails_is_temporary_and_leaves_nothing(store, front, tmp_path, status):
    (tmp_path / "part").write_bytes(b"content")
    front.fault = fails_puts(ENDLESS, status)

    for write in (lambda: store.put_bytes("features/x", b""), lambda: store.put_file("features/y", tmp_path / "part")):
        with pytest.raises(UnavailableError, match=r"features/[xy]: the store did not answer as it should \(.*5 tries"):
            write()

    assert [] == store.names("")


def test_upload_in_parts_that_breaks_leaves_no_file_and_no_parts(store, front, server, tmp_path):
    (tmp_path / "part").write_bytes(os.urandom(PART_BYTES))
    front.fault = lambda method, path: CUT if "partNumber=2" in path else None

    with pytest.raises(UnavailableError, match="features/x"):
        store.put_file("features/x", tmp_path / "part")

    assert [] == store.names("")
    assert "Uploads" not in s3_client(server).list_multipart_uploads(Bucket=BUCKET)


def test_run_whose_provenance_is_cut_is_not_there(store, front):
    store.put_bytes("features/20260301T000000Z-aa/part-1.parquet", b"content")
    front.fault = fails_puts(ENDLESS, CUT)

    with pytest.raises(UnavailableError, match="provenance.json"):
        publish_provenance(store, Provenance("20260301T000000Z-aa", "", "", "", (), "", 1, 0, {}, None, None, {}))

    with pytest.raises(NotFoundError, match="no features with a provenance.json yet"):
        find_latest_run(store)


@pytest.mark.parametrize("status", [500, CUT])
def test_download_that_always_fails_is_temporary(store, front, tmp_path, status):
    store.put_bytes("features/x", b"content")
    front.fault = lambda method, path: status if method in ("GET", "HEAD") else None

    for read in (lambda: store.get_bytes("features/x"), lambda: store.get_file("features/x", tmp_path / "x"),
                 lambda: store.names("features/")):
        with pytest.raises(UnavailableError, match="features/"):
            read()

    assert [] == os.listdir(tmp_path)


def test_folder_store_goes_without_the_client_of_buckets():
    program = ("import sys; from sentinel.object_store import open_object_store as o; "
               "from sentinel.settings import ObjectStoreSettings as S; o(S(object_store_uri='file:///x')); "
               "print('boto3' in sys.modules)")

    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert "False" == ended.stdout.strip()
