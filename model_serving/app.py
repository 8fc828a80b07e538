"""The Flask application: routes, request ids, one log line a request, and headers that keep the page safe."""

import re
import time
from uuid import uuid4

from flask import Flask, Response, g, request

from model_serving.metrics import Metrics
from model_serving.problems import register_problems
from model_serving.routes.operations import check_token, operations_routes
from model_serving.routes.pages import page_routes
from model_serving.routes.ranking import ranking_routes
from model_serving.routes.scoring import scoring_routes
from model_serving.scorer import Scorer
from model_serving.settings import ServingSettings
from sentinel.logs import get_logger

REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")
SAFETY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
                               "base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
QUIET_ROUTES = frozenset({"/healthz", "/readyz", "/metrics"})  # probes would drown the log


def create_app(scorer: Scorer, settings: ServingSettings, metrics: Metrics | None = None) -> Flask:
    """Return the application that answers from `scorer`."""
    app = Flask("model_serving")
    metrics = metrics or Metrics()
    app.register_blueprint(scoring_routes(scorer, settings))
    app.register_blueprint(ranking_routes(scorer))
    app.register_blueprint(operations_routes(scorer, settings, metrics))
    app.register_blueprint(page_routes(scorer, settings))
    register_problems(app)

    @app.before_request
    def begin() -> None:
        given = request.headers.get("X-Request-Id", "")
        g.request_id = given if REQUEST_ID.fullmatch(given) else uuid4().hex
        g.started = time.perf_counter()
        if request.method == "POST":
            check_token(settings)

    @app.after_request
    def finish(response: Response) -> Response:
        response.headers["X-Request-Id"] = g.request_id
        response.headers.update(SAFETY_HEADERS)
        _tell(metrics, response)
        return response

    return app


def _tell(metrics: Metrics, response: Response) -> None:
    """Count and log one request under its route, never under its path: paths are without bound."""
    route = request.url_rule.rule if request.url_rule else "unknown"
    method = request.method if request.method in ("GET", "HEAD", "POST", "OPTIONS") else "other"
    seconds = time.perf_counter() - g.started
    metrics.requests.labels(route, method, response.status_code).inc()
    metrics.seconds.labels(route).observe(seconds)
    if route not in QUIET_ROUTES or response.status_code >= 500:
        get_logger().info("model_serving.request", route=route, method=method, status=response.status_code,
                          milliseconds=round(seconds * 1000, 3), request_id=g.request_id)
