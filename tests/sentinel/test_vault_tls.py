"""Vault over TLS: whose certificates are trusted, and that no redirect leads out of it."""

import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from sentinel.errors import FixNeededError
from sentinel.vault import read_secrets
from sentinel.vault_settings import VaultSettings
from tests.vault_double import PLACE, ROLE, service_account_token, vault_double


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> Path:
    """Return a file with a certificate for 127.0.0.1 and its key."""
    file = tmp_path_factory.mktemp("tls") / "certificate.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-keyout", file, "-out", f"{file}.public", "-days", "1", "-subj", "/CN=vault",
                    "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    with file.open("a") as whole:
        whole.write(Path(f"{file}.public").read_text())
    return file


@pytest.fixture
def settings(tmp_path, certificate) -> VaultSettings:
    """Return settings that trust the certificate."""
    token_file = tmp_path / "token"
    token_file.write_text(service_account_token())
    return VaultSettings(vault_addr="https://127.0.0.1", vault_role=ROLE, vault_secret_path=PLACE,
                         vault_token_path=token_file, vault_cacert=certificate, vault_budget_seconds=5.0)


@contextmanager
def redirecting(certificate: Path, elsewhere: str) -> Iterator[str]:
    """Serve redirects to `elsewhere` over TLS; yields the address."""
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response_only(307)
            self.send_header("Location", elsewhere + self.path)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_certificate_of_an_unknown_authority_is_refused_at_once(settings, certificate):
    with redirecting(certificate, "https://elsewhere") as address:
        with pytest.raises(FixNeededError, match="cannot trust Vault at https://.*VAULT_CACERT") as caught:
            read_secrets(settings.model_copy(update={"vault_addr": address, "vault_cacert": None}))

    assert 2 == caught.value.exit_code


def test_redirect_out_of_tls_is_not_followed(settings, certificate):
    with vault_double({"A": "b"}) as plain, redirecting(certificate, plain.address) as address:
        with pytest.raises(FixNeededError, match="cannot talk to Vault at https://.*http://127.0.0.1"):
            read_secrets(settings.model_copy(update={"vault_addr": address}))

    assert [] == plain.heard
