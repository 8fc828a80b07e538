"""Errors as RFC 9457 problem documents: what was wrong, where, and what to send instead."""

from collections.abc import Mapping
from typing import Any

import orjson
from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from sentinel.errors import DataUnusableError, FingerprintError, NotFoundError, RecordError, UnavailableError
from sentinel.logs import get_logger

PROBLEM_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 5


class ProblemError(Exception):
    """End a request with `status` and one sentence; `field` names what to correct."""

    def __init__(self, status: int, title: str, detail: str, field: str | None = None) -> None:
        """Keep the parts of the document."""
        super().__init__(detail)
        self.status, self.title, self.detail, self.field = status, title, detail, field


def bad_record(error: RecordError) -> ProblemError:
    """Turn a record that cannot be read into a 400; its text begins with the field's name."""
    text = str(error)
    return ProblemError(400, "The pull request cannot be read", text, text.split(":", 1)[0])


def not_ready(reason: str) -> ProblemError:
    """Say that no model answers yet, and why."""
    return ProblemError(503, "No model is ready", reason)


def problem_json(problem: ProblemError) -> dict[str, Any]:
    """Return the members of the document."""
    members: dict[str, Any] = {
        "type": "about:blank", "title": problem.title, "status": problem.status, "detail": problem.detail,
    }
    return members if problem.field is None else members | {"field": problem.field}


def register_problems(app: Flask) -> None:
    """Answer every error of `app` with a problem document, and never with a stack trace."""
    app.register_error_handler(ProblemError, _answer)
    app.register_error_handler(RecordError, lambda error: _answer(bad_record(error)))
    app.register_error_handler(NotFoundError, lambda error: _answer(ProblemError(404, "Not found", str(error))))
    app.register_error_handler(FingerprintError, lambda error: _answer(not_ready(str(error))))
    app.register_error_handler(DataUnusableError, lambda error: _answer(not_ready(str(error))))
    app.register_error_handler(UnavailableError, lambda error: _answer(not_ready(str(error))))
    app.register_error_handler(HTTPException, _answer_http)
    app.register_error_handler(Exception, _answer_bug)


def _answer(problem: ProblemError, headers: Mapping[str, str] | None = None) -> Response:
    members = problem_json(problem) | {"request_id": g.get("request_id")}
    response = Response(orjson.dumps(members), problem.status, content_type=PROBLEM_TYPE, headers=dict(headers or {}))
    if problem.status == 503:
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


def _answer_http(error: HTTPException) -> Response:
    """Keep the status and headers of the framework's own errors, such as Allow of a 405."""
    status = error.code or 500
    if status < 400:
        return Response(status=status, headers=dict(error.get_headers()))
    details = {
        404: f"there is nothing at {ascii(request.path)[1:-1][:200]}; /api lists what there is",
        405: f"{request.method[:20]} is not possible here; see the Allow header",
        413: "the body is larger than this scorer takes",
    }
    kept = {name: value for name, value in error.get_headers() if name not in ("Content-Type", "Content-Length")}
    detail = details.get(status, error.description or error.name)
    return _answer(ProblemError(status, error.name, detail, "body" if status == 413 else None), kept)


def _answer_bug(error: Exception) -> Response:
    get_logger().exception("model_serving.crashed", error=type(error).__name__, request_id=g.get("request_id"))
    return _answer(ProblemError(500, "A bug in the scorer", "the request id leads to the log line that says more"))
