"""The HTTP server of the simulated GitHub: keep-alive, threads, and failures by plan."""

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson

from sentinel.sources.simulated.answers import graphql_error
from sentinel.sources.simulated.api import BAD_GATEWAY, Answer, SimulatedGitHub, refused_cursor, to_answer
from sentinel.sources.simulated.faults import Fault

HTML = {"Content-Type": "text/html"}
DRIPS = 400
ELSEWHERE = "http://elsewhere.example.invalid/pulls?page=2"
FIRST_NODE = ("repository", "pullRequests", "nodes", 0)
ABUSE_PAGE = b"<html><body>You have triggered an abuse detection mechanism.</body></html>"
SECONDARY = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
SSO = "Resource protected by organization SAML enforcement. You must grant your token access to this organization."


@contextmanager
def serve(github: SimulatedGitHub, port: int = 0, host: str = "127.0.0.1") -> Iterator[str]:
    """Serve `github` on the loopback, or another network of this machine, in a thread; yield the API's address."""
    server = _Server((host, port), _Handler)
    server.github = github
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://{host}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    github: SimulatedGitHub

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Let a client that hangs up go without a word."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "github.com", ""
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    timeout = 120
    server: _Server

    def do_GET(self) -> None:
        """Answer a request of REST."""
        self._respond(b"")

    def do_POST(self) -> None:
        """Answer a request of GraphQL."""
        self._respond(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def log_message(self, *_: Any) -> None:
        """Keep quiet; the client has logs."""

    def _respond(self, body: bytes) -> None:
        github = self.server.github
        fault = github.plan.fault_of(github.begin_request())
        time.sleep(github.plan.latency_seconds)
        if fault is Fault.RESET:
            self._reset()
        elif fault in (Fault.TRUNCATED, Fault.SLOW_DRIP):
            self._send_slowly_or_cut(self._answer(body), fault)
        else:
            self._send(self._answer(body) if fault is None else self._failed(fault, body))

    def _answer(self, body: bytes) -> Answer:
        github = self.server.github
        token = self.headers.get("Authorization", "").partition(" ")[2]
        if github.app is not None and self.path.startswith("/app/"):
            return to_answer(*github.app.give_token(self.path, token))
        if not github.lets_in(token):
            return to_answer({"message": "Bad credentials", "status": "401"}, 401)
        return github.answer(self.command, self.path, body, f"http://{self.headers.get('Host')}")

    def _failed(self, fault: Fault, body: bytes) -> Answer:
        """Return what GitHub sends when it fails in this way."""
        wait = {"Retry-After": str(self.server.github.plan.retry_after_seconds)}
        simple = {
            Fault.BAD_GATEWAY: BAD_GATEWAY,
            Fault.GATEWAY_TIMEOUT: to_answer({"message": "We couldn't respond to your request in time."}, 504),
            Fault.SERVER_ERROR: to_answer({"message": "Server Error"}, 500),
            Fault.UNAVAILABLE: Answer(503, b"<html><title>Unicorn!</title></html>", HTML),
            Fault.SECONDARY_RETRY_AFTER: to_answer({"message": SECONDARY}, 403, wait),
            Fault.SECONDARY: to_answer({"message": SECONDARY}, 403),
            Fault.SECONDARY_429: to_answer({"message": SECONDARY}, 429, wait),
            Fault.SECONDARY_IN_200: to_answer({"data": None, "errors": [graphql_error(None, SECONDARY)]}, 200, wait),
            Fault.ABUSE_PAGE: Answer(403, ABUSE_PAGE, HTML),
            Fault.BAD_CREDENTIALS: to_answer({"message": "Bad credentials", "status": "401"}, 401),
            Fault.SSO_REQUIRED: to_answer({"message": SSO}, 403, {"X-GitHub-SSO": "required"}),
            Fault.REDIRECT_ELSEWHERE: to_answer({}, 302, {"Location": ELSEWHERE}),
            Fault.REFUSED_CURSOR: refused_cursor("old"),
            Fault.RATE_LIMITED: to_answer({"errors": [graphql_error("RATE_LIMIT", "API rate limit exceeded")]}, 200,
                                          {"X-RateLimit-Remaining": "0"}),
        }
        return simple[fault] if fault in simple else _spoiled(self._answer(body), fault)

    def _send(self, answer: Answer) -> None:
        self._begin(answer)
        self.wfile.write(answer.body)
        self.wfile.flush()

    def _begin(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in (self.server.github.rate_headers() | dict(answer.headers)).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()

    def _send_slowly_or_cut(self, answer: Answer, fault: Fault) -> None:
        self._begin(answer)
        if fault is Fault.TRUNCATED:
            self.wfile.write(answer.body[:len(answer.body) // 2])
        else:
            for place in range(min(DRIPS, len(answer.body) - 1)):
                self.wfile.write(answer.body[place:place + 1])
                self.wfile.flush()
                time.sleep(self.server.github.plan.drip_seconds)
        self.close_connection = True

    def _reset(self) -> None:
        """Close so that the other side sees a reset, not an end."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True


def _spoiled(answer: Answer, fault: Fault) -> Answer:
    """Return a good answer with something wrong inside."""
    if fault is Fault.BROKEN_JSON:
        return Answer(answer.status, answer.body[:len(answer.body) // 2], answer.headers)
    if fault is Fault.LINK_ELSEWHERE:
        return Answer(200, answer.body, dict(answer.headers) | {"Link": f'<{ELSEWHERE}>; rel="next"'})
    content = orjson.loads(answer.body)
    data = content.get("data") or {}
    nodes = ((data.get("repository") or {}).get("pullRequests") or {}).get("nodes") or []
    if fault is Fault.RESOURCE_LIMITS:
        for node in nodes[len(nodes) // 2:]:
            node["files"] = None
        content["errors"] = [graphql_error("RESOURCE_LIMITS_EXCEEDED", "Resource limits for this query exceeded.")]
    elif nodes and fault is Fault.FORBIDDEN_FORK:
        nodes[0]["headRepository"] = None
        content["errors"] = [graphql_error("FORBIDDEN", SSO, [*FIRST_NODE, "headRepository"])]
    elif nodes and fault is Fault.LOST_NODE:
        nodes[0] = None
        content["errors"] = [graphql_error(None, "Something is wrong with this one", [*FIRST_NODE, "additions"])]
    return to_answer(content, answer.status)
