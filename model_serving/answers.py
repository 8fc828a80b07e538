"""The JSON of the answers: the same pull request and the same model version give the same bytes."""

from collections.abc import Sequence
from typing import Any

import orjson
from flask import Response

from model_serving.scorer import Champion
from model_serving.verdict_table import Ranking
from sentinel.judged import JudgedPullRequest, Reason
from sentinel.pull_request import PullRequest
from sentinel.verdict import Verdict

DIGITS = 6  # after the point: far below what a score can tell


def json_response(document: Any, status: int = 200) -> Response:
    """Answer with JSON."""
    return Response(orjson.dumps(document), status, content_type="application/json")


def verdict_json(champion: Champion, pull_request: PullRequest, verdict: Verdict) -> dict[str, Any]:
    """Return the answer to one scored pull request."""
    return {
        "repository": verdict.repository,
        "number": verdict.number,
        "score": round(verdict.score, DIGITS),
        "percentile": round(verdict.percentile, DIGITS),
        "threshold": round(verdict.threshold, DIGITS),
        "is_unusual": verdict.is_unusual,
        "warm_up": verdict.warm_up,
        "reasons": [reason_json(reason) for reason in verdict.reasons],
        "notes": champion.notes(pull_request),
        **origin_json(champion),
    }


def ranked_json(ranked: JudgedPullRequest) -> dict[str, Any]:
    """Return one row of a ranking."""
    return {
        "repository": ranked.repository,
        "number": ranked.number,
        "title": ranked.title,
        "author": ranked.author,
        "opened_at": ranked.opened_at.isoformat().replace("+00:00", "Z"),
        "additions": ranked.additions,
        "deletions": ranked.deletions,
        "changed_files": ranked.changed_files,
        "score": round(ranked.score, DIGITS),
        "percentile": round(ranked.percentile, DIGITS),
        "threshold": round(ranked.threshold, DIGITS),
        "is_unusual": ranked.is_unusual,
        "warm_up": ranked.warm_up,
        "reasons": [reason_json(reason) for reason in ranked.reasons],
    }


def ranking_json(champion: Champion, ranking: Ranking) -> dict[str, Any]:
    """Return one page of a ranking."""
    return {
        "first": ranking.first,
        "total": ranking.total,
        "pull_requests": [ranked_json(row) for row in ranking.rows],
        "next_after": ranking.next_after,
        **origin_json(champion),
    }


def explanation_json(champion: Champion, ranked: JudgedPullRequest) -> dict[str, Any]:
    """Return one known pull request, each reason with what is usual in its repository."""
    reasons = [reason_json(reason) | {"usual": _usual(champion, ranked.repository, reason)}
               for reason in ranked.reasons]
    return ranked_json(ranked) | {"reasons": reasons} | origin_json(champion)


def origin_json(champion: Champion) -> dict[str, str]:
    """Name what an answer depends on."""
    return {
        "model_version": champion.model.version,
        "feature_fingerprint": champion.model.feature_fingerprint,
        "history_snapshot": champion.facts.features_run_id,
    }


def reason_json(reason: Reason) -> dict[str, Any]:
    """Return one reason; a feature's value may be absent."""
    return {
        "feature": reason.feature,
        "group": reason.group,
        "sentence": reason.sentence,
        "contribution": round(reason.contribution, DIGITS),
        "value": None if reason.value is None else round(reason.value, DIGITS),
        "percentile": None if reason.percentile is None else round(reason.percentile, DIGITS),
    }


def _usual(champion: Champion, repository: str, reason: Reason) -> dict[str, float] | None:
    quantiles = champion.usual_values(repository, reason.feature)
    return None if quantiles is None else _five_numbers(quantiles.tolist())


def _five_numbers(quantiles: Sequence[float]) -> dict[str, float]:
    last = len(quantiles) - 1
    places = {"lowest": 0, "quarter": last // 4, "median": last // 2, "three_quarters": last * 3 // 4, "highest": last}
    return {name: round(quantiles[place], DIGITS) for name, place in places.items()}
