"""The Flask application: routes, request ids, one log line a request, and headers that keep the page safe."""

import math
import os
import re
import time
from collections.abc import Callable
from typing import Any

from flask import Flask, Request, Response, g, request

from model_serving.metrics import Metrics
from model_serving.problems import ProblemError, register_problems
from model_serving.request_log import RequestLog
from model_serving.routes.operations import check_token, operations_routes
from model_serving.routes.pages import page_routes
from model_serving.routes.ranking import ranking_routes
from model_serving.routes.scoring import scoring_routes
from model_serving.scorer import Scorer
from model_serving.settings import ServingSettings
from model_serving.turns import Turns

REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")
SAFETY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
                               "base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
PROGRAM_TYPES = frozenset({"application/json", "application/problem+json", "application/x-ndjson"})
METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS"})  # others are counted together
SMALL_BYTES = 65_536  # a pull request of some hundred files; batches are larger
QUIET_ROUTES = frozenset({"/healthz", "/readyz", "/metrics"})  # probes would drown the log


def create_app(scorer: Scorer, settings: ServingSettings, metrics: Metrics | None = None,
               turns: Turns | None = None) -> Flask:
    """Return the application that answers from `scorer`; `turns` tells how long a request waited."""
    app = _Application("model_serving")
    metrics, turns = metrics or Metrics(), turns or Turns()
    log = RequestLog()
    app.register_blueprint(scoring_routes(scorer, settings))
    app.register_blueprint(ranking_routes(scorer))
    app.register_blueprint(operations_routes(scorer, settings, metrics))
    app.register_blueprint(page_routes(scorer, settings))
    register_problems(app)

    @app.before_request
    def begin() -> None:
        asked, kept = request._get_current_object(), g._get_current_object()  # each look through a proxy costs
        given = asked.environ.get("HTTP_X_REQUEST_ID", "")
        kept.request_id = given if REQUEST_ID.fullmatch(given) else os.urandom(16).hex()
        kept.started = time.perf_counter()
        if asked.method == "POST":
            if turns.is_refused(settings.max_wait_seconds, (asked.content_length or math.inf) <= SMALL_BYTES):
                metrics.turned_away.inc()
                raise ProblemError(503, "Too much to do", f"the request waited {turns.wait_seconds:.1f} s for its "
                                   "turn; come back after Retry-After")
            check_token(settings)

    @app.after_request
    def finish(response: Response) -> Response:
        asked, kept = request._get_current_object(), g._get_current_object()
        response.headers["X-Request-Id"] = kept.request_id
        if response.content_type in PROGRAM_TYPES:
            response.headers["X-Content-Type-Options"] = "nosniff"
        else:
            response.headers.update(SAFETY_HEADERS)
        _tell(log, metrics, asked, response.status_code, time.perf_counter() - kept.started, kept.request_id)
        return response

    return app


class _Application(Flask):
    """Flask without its question, at every call of ours, whether that is a coroutine: none is."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function as it is."""
        return func


def _tell(log: RequestLog, metrics: Metrics, asked: Request, status: int, seconds: float, request_id: str) -> None:
    """Count and log one request under its route, never under its path: paths are without bound."""
    route = asked.url_rule.rule if asked.url_rule else "unknown"
    method = asked.method if asked.method in METHODS else "other"
    metrics.count(route, method, status, seconds)
    if route not in QUIET_ROUTES or status >= 500:
        log.write(route, method, status, seconds, request_id)
