"""A real server that speaks S3 over HTTP on loopback, and a front that fails as servers and networks do."""

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import boto3
import pytest

from sentinel.settings import ObjectStoreSettings

CUT = -1  # in the place of a status: the connection breaks in the middle of the body
BUCKET = "bucket"
Fault = Callable[[str, str], int | None]  # (method, path with query) → status to answer with, CUT, or None


@contextmanager
def s3_server() -> Iterator[str]:
    """Run moto's server with one empty bucket; yields its address."""
    moto = pytest.importorskip("moto.server", reason="moto[server] is not installed")
    server = moto.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        s3_client(f"http://{host}:{port}").create_bucket(Bucket=BUCKET)
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def s3_client(endpoint: str) -> "boto3.client":
    """Return a client of its own, to look at the bucket beside the store."""
    return boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="key",
                        aws_secret_access_key="secret")


def bucket_settings(endpoint: str, prefix: str) -> ObjectStoreSettings:
    """Return the settings of a store below `prefix`."""
    return ObjectStoreSettings(object_store_uri=f"s3://{BUCKET}/{prefix}", s3_endpoint=endpoint, s3_access_key="key",
                               s3_secret_key="secret")


@dataclass
class FaultyFront:
    """What stands between the client and the server."""

    endpoint: str = ""
    fault: Fault = lambda method, path: None
    faults: list[str] = field(default_factory=list)  # the requests that met one


@contextmanager
def faulty_front(server: str) -> Iterator[FaultyFront]:
    """Pass requests on to `server`, but for those that `fault` names."""
    front = FaultyFront()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            status, length = front.fault(self.command, self.path), int(self.headers.get("Content-Length") or 0)
            if status is not None:
                front.faults.append(f"{self.command} {self.path}")
            if status == CUT:
                self.rfile.read(length // 2)
                self.close_connection = True
                return
            body = self.rfile.read(length)
            if status is None:
                pass_on(self, urlsplit(server).netloc, body)
            else:
                answer(self, status, {}, b"<Error><Code>InternalError</Code></Error>")

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    front.endpoint = f"http://127.0.0.1:{listener.server_port}"
    thread = threading.Thread(target=listener.serve_forever)
    thread.start()
    try:
        yield front
    finally:
        listener.shutdown()
        thread.join()
        listener.server_close()


def pass_on(handler: BaseHTTPRequestHandler, server: str, body: bytes) -> None:
    """Send the request on and the answer back."""
    connection = http.client.HTTPConnection(server, timeout=20)
    try:
        connection.request(handler.command, handler.path, body, dict(handler.headers))
        response = connection.getresponse()
        answer(handler, response.status, dict(response.headers), response.read())
    finally:
        connection.close()


def answer(handler: BaseHTTPRequestHandler, status: int, headers: dict[str, str], content: bytes) -> None:
    """Answer with `content`; the length that a HEAD tells stays."""
    handler.send_response_only(status)
    for name, value in headers.items():
        if name.lower() not in ("content-length", "connection", "transfer-encoding"):
            handler.send_header(name, value)
    length = headers.get("Content-Length", "0") if handler.command == "HEAD" else str(len(content))
    handler.send_header("Content-Length", length)
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(content)
