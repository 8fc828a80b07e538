"""Health, metrics, the model's facts and its reload: what the platform asks for."""

from dataclasses import asdict
from hmac import compare_digest
from importlib.resources import files
from typing import Any

from flask import Blueprint, Response, request
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from model_serving.answers import json_response, origin_json
from model_serving.metrics import Metrics
from model_serving.problems import ProblemError
from model_serving.refresh import refresh
from model_serving.scorer import Scorer
from model_serving.settings import ServingSettings

OPENAPI = "openapi.json"


def operations_routes(scorer: Scorer, settings: ServingSettings, metrics: Metrics) -> Blueprint:
    """Return the paths for the platform."""
    routes = Blueprint("operations", __name__)

    @routes.get("/healthz")
    def healthz() -> Response:
        """Tell that this process answers, whatever it depends on."""
        return json_response({"status": "ok"})

    @routes.get("/readyz")
    def readyz() -> Response:
        """Tell that a model is loaded and has answered its probe records; a 503 with the reason otherwise."""
        return json_response({"status": "ready", **origin_json(scorer.champion)})

    @routes.get("/metrics")
    def prometheus_metrics() -> Response:
        """Show the metrics of all workers."""
        return Response(metrics.exposition(), content_type=CONTENT_TYPE_LATEST)

    @routes.get("/model")
    def model() -> Response:
        """Tell which model answers, where it came from, and how fresh it is."""
        return json_response(model_json(scorer))

    @routes.post("/model/reload")
    def reload() -> Response:
        """Look for a newer champion now; it takes over only after it answered its probe records."""
        check_token(settings, is_required=True)
        before = scorer.copy_in_use
        attempt = refresh(settings)
        scorer.load_newer()  # unless the watch was faster
        if attempt is not None and not attempt.is_good or scorer.reason:
            text = scorer.reason if attempt is None or attempt.is_good else attempt.text
            raise ProblemError(503, "No newer model took over", text)
        return json_response({"took_over": scorer.copy_in_use != before, "is_running_elsewhere": attempt is None,
                              **model_json(scorer)})

    @routes.get("/openapi.json")
    def openapi() -> Response:
        """Describe every path for programs."""
        return Response(files("model_serving").joinpath(OPENAPI).read_bytes(), content_type="application/json")

    return routes


def check_token(settings: ServingSettings, is_required: bool = False) -> None:
    """Let a request pass that carries the token; raises a 401 or 403."""
    if settings.api_token is None:
        if is_required:
            raise ProblemError(403, "Reloading is off", "Authorization: this scorer has no token; set "
                               "SENTINEL_API_TOKEN to allow it", "Authorization")
        return
    expected = f"Bearer {settings.api_token.get_secret_value()}".encode()
    if not compare_digest(request.headers.get("Authorization", "").encode("utf-8", "replace"), expected):
        raise ProblemError(401, "The token is missing or wrong", "Authorization: expected Bearer and the token of "
                           "this scorer", "Authorization")


def model_json(scorer: Scorer) -> dict[str, Any]:
    """Return the facts of the model in use and of the last look for a newer one."""
    champion, attempt = scorer.champion, scorer.last_attempt()
    facts = {name: value for name, value in asdict(champion.facts).items()
             if name not in ("files", "name", "feature_names", "histories")}
    return facts | {
        "history_snapshot": champion.facts.features_run_id,
        "threshold": champion.model.threshold,
        "threshold_rule": champion.model.card.threshold_rule,
        "trained_until": champion.model.card.trained_until,
        "n_features": len(champion.model.feature_names),
        "repositories": list(champion.facts.histories),
        "is_last_good_copy": attempt is None or not attempt.is_good,
        "last_look_at": None if attempt is None else attempt.at,
        "last_look_failed": None if attempt is None or attempt.is_good else attempt.text,
        "newer_refused": scorer.reason or None,
    }
