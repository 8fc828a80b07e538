"""A registry of images over real HTTP, in memory, that can be told to be full or to refuse."""

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

PATH = re.compile(r"/v2/(?P<name>.+)/(?P<kind>manifests|blobs)/(?P<what>[^/]+|uploads/[^/]*)")
REFUSALS = {  # what the two kinds of refusal look like on the wire
    "full": (HTTPStatus.INSUFFICIENT_STORAGE, "UNKNOWN", "registry storage limit reached"),
    "denied": (HTTPStatus.FORBIDDEN, "DENIED", "requested access to the resource is denied"),
}


@dataclass
class Registry:
    """What a running registry holds."""

    address: str = ""  # "127.0.0.1:40123"
    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[tuple[str, str], tuple[str, bytes]] = field(default_factory=dict)  # by tag and by digest
    uploads: dict[str, bytes] = field(default_factory=dict)
    refuses: str = ""  # "full" or "denied": pushes are answered so

    def restore(self, other: "Registry") -> None:
        """Hold what another one holds, and refuse nothing."""
        self.blobs, self.manifests, self.refuses = dict(other.blobs), dict(other.manifests), ""

    def digest(self, name: str, tag: str) -> str | None:
        """Return the digest of a tag."""
        found = self.manifests.get((name, tag))
        return found and "sha256:" + hashlib.sha256(found[1]).hexdigest()


@contextmanager
def registry_server() -> Iterator[Registry]:
    """Serve an empty registry."""
    registry = Registry()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"registry": registry}))
    registry.address = f"127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield registry
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    registry: Registry
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer what is asked for: the version, a manifest or a blob."""
        found = PATH.fullmatch(urlsplit(self.path).path)
        if found is None:
            return self._answer(HTTPStatus.OK, b"{}")
        kind, content = "application/octet-stream", self.registry.blobs.get(found["what"])
        if found["kind"] == "manifests":
            kind, content = self.registry.manifests.get((found["name"], found["what"]), ("", None))
        if content is None:
            code = "MANIFEST_UNKNOWN" if found["kind"] == "manifests" else "BLOB_UNKNOWN"
            return self._error(HTTPStatus.NOT_FOUND, code, code.lower().replace("_", " "))
        self._answer(HTTPStatus.OK, content, {"Content-Type": kind, "Docker-Content-Digest": _digest(content)})

    do_HEAD = do_GET

    def do_POST(self) -> None:
        """Begin an upload."""
        self._body()
        if self.registry.refuses:
            return self._error(*REFUSALS[self.registry.refuses])
        key = f"upload-{uuid4().hex}"  # uploads run side by side
        self.registry.uploads[key] = b""
        location = urlsplit(self.path).path.rstrip("/") + f"/{key}"
        self._answer(HTTPStatus.ACCEPTED, b"", {"Location": location, "Range": "0-0"})

    def do_PATCH(self) -> None:
        """Take a part of a blob."""
        self.registry.uploads[self._upload()] += self._body()
        self._answer(HTTPStatus.ACCEPTED, b"", {"Location": urlsplit(self.path).path})

    def do_PUT(self) -> None:
        """End an upload, or take a manifest."""
        found = PATH.fullmatch(urlsplit(self.path).path)
        assert found is not None
        if found["kind"] == "blobs":
            content = self.registry.uploads.pop(self._upload()) + self._body()
            self.registry.blobs[parse_qs(urlsplit(self.path).query)["digest"][0]] = content
        else:
            content = self._body()
            entry = (self.headers["Content-Type"], content)
            self.registry.manifests[found["name"], _digest(content)] = entry
            self.registry.manifests[found["name"], found["what"]] = entry
        self._answer(HTTPStatus.CREATED, b"", {"Docker-Content-Digest": _digest(content), "Location": self.path})

    def log_message(self, format: str, *arguments: object) -> None:
        """Stay silent."""

    def _upload(self) -> str:
        return urlsplit(self.path).path.rpartition("/")[2]

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _error(self, status: HTTPStatus, code: str, message: str) -> None:
        content = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
        self._answer(status, content, {"Content-Type": "application/json"})

    def _answer(self, status: HTTPStatus, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()
