"""The pages for people: the ranked list, one pull request, and the paths in words."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from importlib.resources import files
from typing import Any
from urllib.parse import quote, urlencode

import orjson
from flask import Blueprint, Response, render_template, request

from model_serving.charts import Chart, score_chart, share_below, value_chart
from model_serving.problems import RETRY_AFTER_SECONDS, ProblemError
from model_serving.routes.operations import OPENAPI
from model_serving.routes.ranking import find_known, known_verdicts, read_filters
from model_serving.scorer import Champion, Scorer
from model_serving.settings import ServingSettings
from model_serving.verdict_table import ORDERS, Filters
from model_serving.words import age_in_words, counted, joined, percentile_in_words, visible
from sentinel.features import CATALOGUE, FEATURE_NAMES, sentence
from sentinel.judged import JudgedPullRequest, Reason

ROWS_PER_PAGE = 25
PERIODS = ((30, "the last 30 days"), (90, "the last 90 days"), (365, "the last year"))
ORDER_WORDS = {"unusual": "most unusual first", "newest": "newest first", "largest": "largest first"}


@dataclass(frozen=True, slots=True)
class ReasonView:
    """One reason with its place among the pull requests of its repository."""

    reason: Reason
    chart: Chart | None
    share_below: float | None
    is_surprise: bool  # the sentence itself says its share of the repository's past
    usual: str | None  # the middle value, in the reason's own words


def page_routes(scorer: Scorer, settings: ServingSettings, clock: Callable[[], datetime] = lambda: datetime.now(UTC),
                ) -> Blueprint:
    """Return the pages; `clock` tells the time for ages."""
    routes = Blueprint("pages", __name__)

    style_version = _style_version()

    @routes.app_context_processor
    def words() -> dict[str, Any]:
        """Give the templates their words."""
        return {
            "age": lambda time: age_in_words(time, clock()), "percentile": percentile_in_words, "visible": visible,
            "counted": counted, "joined": joined, "page_of": page_of, "style_version": style_version,
            "outside": lambda one: settings.pull_request_url.format(
                repository=quote(one.repository, safe="/"), number=one.number),
        }

    @routes.get("/")
    def ranking_page() -> Response:
        """Show the ranked list of a repository, or of all."""
        champion = scorer.find_champion()
        if champion is None:
            return _html("no_model.html", 503, reason=scorer.why_none())
        try:
            return _html("ranking.html", **ranking_view(champion))
        except ProblemError as problem:
            return _html("problem.html", problem.status, problem=problem, facts=_model_facts(champion))

    @routes.get("/pull-request/<owner>/<name>/<int:number>")
    def pull_request_page(owner: str, name: str, number: int) -> Response:
        """Show one pull request and the place of each of its reasons."""
        champion = scorer.find_champion()
        if champion is None:
            return _html("no_model.html", 503, reason=scorer.why_none())
        try:
            ranked = find_known(champion, f"{owner}/{name}", number)
        except ProblemError as problem:
            return _html("problem.html", problem.status, problem=problem, facts=_model_facts(champion))
        return _html("pull_request.html", **pull_request_view(champion, ranked))

    @routes.get("/api")
    def api_page() -> Response:
        """Show the paths in words."""
        return _html("api.html", document=orjson.loads(files("model_serving").joinpath(OPENAPI).read_bytes()))

    return routes


def ranking_view(champion: Champion) -> Mapping[str, Any]:
    """Return what the ranked list shows; raises ProblemError for a query that cannot be read."""
    table = known_verdicts(champion)
    filters, after = read_filters(table), request.args.get("after")
    page = table.rank(filters, ROWS_PER_PAGE, after) or table.rank(filters, ROWS_PER_PAGE)
    repositories = table.repositories()
    chosen = next((one for one in repositories if one.name == table.name_of(filters.repository or "")), None)
    if chosen is None and len(repositories) == 1:
        chosen = repositories[0]
    thresholds = {one.threshold for one in repositories if chosen in (None, one)}
    return {
        "facts": _model_facts(champion), "filters": filters, "page": page, "repositories": repositories,
        "chosen": chosen, "is_filtered": filters != Filters(filters.repository, filters.order),
        "n_told": sum(one.n_pull_requests for one in repositories),
        "n_unusual": sum(one.n_unusual for one in repositories),
        "chart": None if len(thresholds) != 1
        else score_chart(table.scores_of(chosen.name if chosen else None), *thresholds),
        "orders": [(order, ORDER_WORDS[order]) for order in ORDERS], "periods": PERIODS,
        "next_link": _link(filters, page.next_after) if page and page.next_after else None,
        "first_link": _link(filters) if after else None, "link": _link,
    }


def pull_request_view(champion: Champion, ranked: JudgedPullRequest) -> Mapping[str, Any]:
    """Return what the page of one pull request shows."""
    scores = known_verdicts(champion).scores_of(ranked.repository)
    return {
        "facts": _model_facts(champion), "one": ranked,
        "chart": score_chart(scores, ranked.threshold, ranked.score),
        "reasons": [_reason_view(champion, ranked.repository, reason) for reason in ranked.reasons],
        "n_told": len(scores),
    }


def page_of(one: JudgedPullRequest) -> str:
    """Return the path of a pull request's page."""
    return f"/pull-request/{quote(one.repository, safe='/')}/{one.number}"


def _reason_view(champion: Champion, repository: str, reason: Reason) -> ReasonView:
    quantiles = champion.usual_values(repository, reason.feature)
    if quantiles is None or reason.value is None:
        return ReasonView(reason, None, None, False, None)
    is_surprise = CATALOGUE[FEATURE_NAMES.index(reason.feature)].is_surprise
    middle = None if is_surprise else sentence(reason.feature, float(quantiles[len(quantiles) // 2]))
    return ReasonView(reason, value_chart(quantiles, reason.value), share_below(quantiles, reason.value),
                      is_surprise, middle)


def _model_facts(champion: Champion) -> Mapping[str, Any]:
    facts = champion.facts
    until = datetime.fromisoformat(facts.opened_until) if facts.opened_until else None
    return {"version": champion.model.version, "fingerprint": champion.model.feature_fingerprint,
            "snapshot": facts.features_run_id, "until": until, "n_pull_requests": facts.n_pull_requests}


def _link(filters: Filters, after: str | None = None, **changed: Any) -> str:
    """Return the address of the list with the same filters, or with some of them changed."""
    wanted = {
        "repository": filters.repository, "order": None if filters.order == "unusual" else filters.order,
        "unusual": "1" if filters.only_unusual else None, "days": filters.days, "search": filters.search or None,
    } | changed | {"after": after}
    query = urlencode({name: value for name, value in wanted.items() if value is not None})
    return f"/?{query}" if query else "/"


def _html(template: str, status: int = 200, **values: Any) -> Response:
    response = Response(render_template(template, **values), status, content_type="text/html; charset=utf-8")
    response.headers["Cache-Control"] = "private, no-cache"
    if status == 503:
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


def _style_version() -> str:
    return sha256(files("model_serving").joinpath("static/sentinel.css").read_bytes()).hexdigest()[:8]
