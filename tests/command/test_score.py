"""One question to a scorer: what it answers, refuses, or does not say."""

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sentinel.command.child import Program
from sentinel.command.interruption import Terminated
from sentinel.command.pipeline import StageFailedError
from sentinel.command.ports import check_port_is_free, free_port, listens
from sentinel.command.score import score_document
from sentinel.command.serving import ready_scorer, serve
from sentinel.errors import FixNeededError, NotFoundError, RecordError, UnavailableError
from tests.command.processes import lives

DOCUMENT = b'{"number": 7}'
READY = "import os, time; print('{\"event\": \"model_serving.ready\"}'); print(os.getpid(), flush=True); "


@contextmanager
def far_end(status: int, answer: dict) -> Iterator[tuple[str, list]]:
    """Serve one answer to every POST; yield the address and the requests as they come in."""
    seen = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.append((self.path, body, self.headers["Authorization"]))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", seen
        finally:
            server.shutdown()


def test_named_scorer_is_asked_with_the_token(data):
    with far_end(200, {"score": 1.5}) as (address, seen):
        answer = score_document(DOCUMENT, f"{address}/", data, {"SENTINEL_API_TOKEN": "secret"})

    assert {"score": 1.5} == answer
    assert [("/score", DOCUMENT, "Bearer secret")] == seen


def test_served_scorer_of_the_data_folder_is_asked(data):
    with far_end(200, {"score": 1.5}) as (address, _):
        data.scorer_address.write_text(address)

        assert {"score": 1.5} == score_document(DOCUMENT, None, data, {})


@pytest.mark.parametrize("status, kind", [
    (400, RecordError), (413, RecordError), (401, FixNeededError), (404, FixNeededError), (503, UnavailableError),
    (500, UnavailableError),
])
def test_refusal_is_told_in_the_scorers_words(data, status, kind):
    with far_end(status, {"title": "Not so", "detail": "number: seen 0"}) as (address, _):
        with pytest.raises(kind, match="Not so: number: seen 0"):
            score_document(DOCUMENT, address, data, {})


@pytest.mark.parametrize("document, text", [
    (b"no", "no JSON"), (b"[1]", "JSON holds a list"), (b"\xff", "no JSON"), (b"[" * 100_000, "no JSON"),
])
def test_what_is_no_pull_request_is_not_sent(data, document, text):
    with pytest.raises(RecordError, match=text):
        score_document(document, "http://127.0.0.1:1", data, {})


@pytest.mark.parametrize("address", ["http://127.0.0.1:1", "nonsense", "file:///etc"])
def test_address_where_nobody_answers_is_named(data, address):
    with pytest.raises(UnavailableError, match=f"no scorer answers at {address}"):
        score_document(DOCUMENT, address, data, {})


def test_folder_without_a_run_says_how_to_begin(tmp_path):
    from sentinel.command.data_folder import DataFolder

    with pytest.raises(NotFoundError, match="no run yet; begin with `sentinel run`"):
        score_document(DOCUMENT, None, DataFolder(tmp_path / "none"), {})


def made_up_scorer(code: str) -> Program:
    """Return a program that claims to be the scorer."""
    return Program("model_serving", (sys.executable, "-I", "-S", "-c", code), {})


def test_scorer_is_stopped_after_the_question(data):
    with ready_scorer(made_up_scorer(READY + "time.sleep(60)"), data, data.logs) as child:
        process = int(next(child.lines()))

        assert lives(process)
    assert not lives(process)


def test_scorer_that_ends_before_it_is_ready_is_told(data):
    with pytest.raises(StageFailedError, match="no model yet") as caught:
        with ready_scorer(made_up_scorer("import sys; sys.stderr.write('no model yet'); sys.exit(2)"), data, data.logs):
            pass

    assert 2 == caught.value.exit_code


def test_scorer_without_a_model_is_told_and_not_waited_for(data):
    code = "import time; print('{\"event\": \"model_serving.not_ready\", \"text\": \"no champion\"}', flush=True)"

    with pytest.raises(StageFailedError, match="no model to serve: no champion") as caught:
        with ready_scorer(made_up_scorer(code + "; time.sleep(60)"), data, data.logs):
            pass

    assert 75 == caught.value.exit_code


def test_address_is_kept_while_serving_and_a_dead_scorer_is_told(data):
    announced = []

    def announce(address, seconds):
        announced.append((address, data.scorer_address.read_text()))

    with pytest.raises(StageFailedError, match="model_serving failed with exit code 1"):
        serve(made_up_scorer(READY), 8080, data, announce)

    assert [("http://127.0.0.1:8080", "http://127.0.0.1:8080")] == announced
    assert not data.scorer_address.exists()


def test_sigterm_while_serving_is_an_ordinary_end(data):
    def announce(address, seconds):
        raise Terminated

    serve(made_up_scorer(READY + "time.sleep(60)"), 8080, data, announce)

    assert "ready" in (data.logs / "model_serving.jsonl").read_text()


def test_taken_port_is_refused_with_a_way_out():
    with far_end(200, {}) as (address, _):
        port = int(address.rpartition(":")[2])

        with pytest.raises(FixNeededError, match=f"cannot serve on port {port} .*choose another with --port"):
            check_port_is_free(port)


def test_free_port_is_free():
    port = free_port()

    check_port_is_free(port)

    assert not listens(port)
