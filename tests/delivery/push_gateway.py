"""A server in the place of a Prometheus push gateway, which keeps what it is sent."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread


@dataclass
class PushGateway:
    """Where it listens, and what came."""

    address: str
    bodies: list[bytes] = field(default_factory=list)


@contextmanager
def open_push_gateway() -> Iterator[PushGateway]:
    """Serve until the end of the block."""
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            gateway.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(202)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        gateway = PushGateway(f"http://127.0.0.1:{server.server_port}")
        thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield gateway
        finally:
            server.shutdown()
            thread.join()
