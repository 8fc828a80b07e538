"""The far end of Vault: a real HTTP server that checks logins and serves KV version 2, and fails on demand."""

import base64
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = tuple[int, Mapping[str, Any] | bytes]

SEALED: Reply = (503, {"errors": ["Vault is sealed"]})
STANDBY: Reply = (500, {"errors": ["local node not active but active cluster node not found"]})
DENIED: Reply = (403, {"errors": ["permission denied"]})
ENDED_TOKEN: Reply = (403, {"errors": ["2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n"]})
NOTHING: Reply = (404, {"errors": []})
ROLE, PLACE = "sentinel-staging-data-fetch", "secret/data/sentinel/staging/data-fetch"


@dataclass(frozen=True)
class Role:
    """Who may log in, for how long, and what the login may read."""

    reads: str = PLACE
    subject: str = "system:serviceaccount:sentinel:data-fetch"
    audience: str = "vault"
    lease_seconds: float = 600.0


@dataclass
class VaultDouble:
    """What the server knows, how it fails, and what it has heard."""

    roles: dict[str, Role] = field(default_factory=lambda: {ROLE: Role()})
    kept: dict[str, dict[str, Any]] = field(default_factory=dict)
    trouble: Callable[[int], Reply | None] = lambda n_heard: None  # by the count of requests so far
    slow_seconds: float = 0.0
    reflects: bool = False  # a refusal repeats the request, as careless proxies do
    address: str = ""
    heard: list[str] = field(default_factory=list)  # "POST /v1/auth/kubernetes/login"
    logins: list[str] = field(default_factory=list)  # the service accounts' tokens, as they came
    tokens: dict[str, tuple[Role, float]] = field(default_factory=dict)  # valid until
    revoked: list[str] = field(default_factory=list)
    namespaces: list[str] = field(default_factory=list)  # of each request

    def reply(self, method: str, path: str, token: str, body: bytes) -> Reply:
        """Answer as Vault does."""
        self.heard.append(f"{method} {path}")
        time.sleep(self.slow_seconds)
        reply = self.trouble(len(self.heard)) or self._route(method, path.removeprefix("/v1/"), token, body)
        if self.reflects and reply[0] >= 400:
            return reply[0], {"errors": [f"{token} {body.decode()} is refused"]}
        return reply

    def _route(self, method: str, path: str, token: str, body: bytes) -> Reply:
        if (method, path) == ("POST", "auth/kubernetes/login"):
            return self._log_in(json.loads(body))
        role, valid_until = self.tokens.get(token, (None, 0.0))
        if role is None or time.monotonic() > valid_until:
            return ENDED_TOKEN if token else DENIED
        if (method, path) == ("POST", "auth/token/revoke-self"):
            self.revoked.append(token)
            del self.tokens[token]
            return 204, b""
        if (method, path) != ("GET", role.reads):
            return DENIED
        if path not in self.kept:
            return NOTHING
        return 200, {"data": {"data": self.kept[path], "metadata": {"version": 1, "deletion_time": ""}}}

    def _log_in(self, given: Mapping[str, str]) -> Reply:
        self.logins.append(given["jwt"])
        role = self.roles.get(given["role"])
        if role is None:
            return 400, {"errors": [f'invalid role name "{given["role"]}"']}
        claims = json.loads(base64.urlsafe_b64decode(given["jwt"].split(".")[1] + "=="))
        if role.audience not in claims["aud"]:
            return 403, {"errors": ["invalid audience (aud) claim: audience claim does not match any expected"]}
        if claims["sub"] != role.subject:
            return 403, {"errors": ["service account name not authorized"]}
        if claims["exp"] <= time.time():
            return 403, {"errors": ["invalid expiration time (exp) claim: token is expired"]}
        token = f"hvs.{secrets.token_urlsafe(18)}"
        self.tokens[token] = role, time.monotonic() + role.lease_seconds
        return 200, {"auth": {"client_token": token, "lease_duration": max(1, int(role.lease_seconds))}}


@contextmanager
def vault_double(kept: Mapping[str, Any], place: str = PLACE) -> Iterator[VaultDouble]:
    """Serve `kept` at `place` until the block ends."""
    double = VaultDouble(kept={place: dict(kept)})

    def reply(method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        double.namespaces.append(headers.get("X-Vault-Namespace", ""))
        return double.reply(method, path, headers.get("X-Vault-Token", ""), body)
    with serve(reply) as double.address:
        yield double


@contextmanager
def serve(reply: Callable[[str, str, Mapping[str, str], bytes], Reply]) -> Iterator[str]:
    """Answer HTTP requests (method, path, headers, body) until the block ends; yields the address."""
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, content = reply(self.command, self.path, self.headers, body)
            is_json = not isinstance(content, bytes)
            sent = json.dumps(content).encode() if is_json else content
            self.send_response_only(status)
            self.send_header("Content-Type", "application/json" if is_json else "text/html")
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        do_GET = do_POST = do_PUT = handle_any

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda request, client_address: None  # a client that gave up is no error of the server
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def service_account_token(subject: str = "system:serviceaccount:sentinel:data-fetch", audience: str = "vault",
                          seconds: float = 600.0) -> str:
    """Return a token that is shaped as Kubernetes' and valid for `seconds`; its signature is a random word."""
    claims = {"sub": subject, "aud": [audience], "exp": int(time.time() + seconds)}
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
             for part in ({"alg": "x"}, claims)]
    return ".".join([*parts, secrets.token_urlsafe(16)])
