"""The counts of a run at a push gateway, which is a small server here."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from structlog.testing import capture_logs

from data_fetch.fetch_github_data import fetch_all
from sentinel.errors import NotFoundError


class Gateway(HTTPServer):
    pushed: list[tuple[str, str]]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.pushed.append((self.path, body))
        self.send_response(202)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with Gateway(("127.0.0.1", 0), Handler) as server:
        server.pushed = []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def line() -> bytes:
    return (b'{"number": 1, "title": "Mend", "created_at": "2026-03-02T09:30:00Z", '
            b'"base": {"repo": {"full_name": "octo/harbour"}}}\n')


def test_counts_of_a_run_are_pushed(settings, gateway, tmp_path, line):
    (tmp_path / "prs.jsonl").write_bytes(line)

    fetch_all(settings(f"jsonl:{tmp_path}", pushgateway_url=gateway.url))

    (path, text), = gateway.pushed
    assert "/metrics/job/data_fetch" == path
    assert {"data_fetch_new 1.0", "data_fetch_failed 0.0", "data_fetch_exit_code 0.0"} < set(text.splitlines())
    assert "\ndata_fetch_last_success_timestamp_seconds " in text


def test_run_that_fails_is_pushed_and_counted_without_a_success(settings, gateway, tmp_path, line):
    (tmp_path / "prs.jsonl").write_bytes(line)
    wanted = settings(f"jsonl:{tmp_path}", "jsonl:missing", pushgateway_url=gateway.url)

    with capture_logs() as events, pytest.raises(NotFoundError):
        fetch_all(wanted)

    (_, text), = gateway.pushed
    assert {"data_fetch_new 1.0", "data_fetch_failed 1.0", "data_fetch_exit_code 2.0"} < set(text.splitlines())
    assert "last_success" not in text
    assert [1] == [one["new"] for one in events if one["event"] == "data_fetch.counted"]


def test_gateway_that_is_away_fails_nothing(settings, free_port, tmp_path, line):
    (tmp_path / "prs.jsonl").write_bytes(line)

    with capture_logs() as events:
        facts = fetch_all(settings(f"jsonl:{tmp_path}", pushgateway_url=f"http://127.0.0.1:{free_port}"))

    assert 1 == facts["new"]
    assert "data_fetch.metrics_not_pushed" in {one["event"] for one in events}
