"""GET /ranking and /explain: the verdicts of the pull requests that are already known."""

from flask import Blueprint, Response, request

from model_serving.answers import explanation_json, json_response, ranking_json
from model_serving.problems import ProblemError, not_ready
from model_serving.scorer import Champion, Scorer
from model_serving.verdict_table import ORDERS, Filters, VerdictTable
from sentinel.judged import JudgedPullRequest

DEFAULT_LIMIT, MAX_LIMIT = 50, 500
MAX_DAYS, MAX_SEARCH_CHARACTERS = 36_500, 200
QUERY = frozenset({"repository", "limit", "after", "order", "unusual", "days", "search"})


def ranking_routes(scorer: Scorer) -> Blueprint:
    """Return the paths that rank and explain."""
    routes = Blueprint("ranking", __name__)

    @routes.get("/ranking")
    def ranking() -> Response:
        """Rank the known pull requests of a repository, or of all, the most unusual first."""
        champion = scorer.champion
        table = known_verdicts(champion)
        unknown = sorted(set(request.args) - QUERY)
        if unknown:
            raise bad_query(unknown[0][:40], "unknown", f"one of {', '.join(sorted(QUERY))}")
        filters, after = read_filters(table), request.args.get("after") or None
        page = table.rank(filters, read_number("limit", DEFAULT_LIMIT, MAX_LIMIT), after)
        if page is None:
            raise bad_query("after", after, "`next_after` of an answer with the same filters and model version")
        return json_response(ranking_json(champion, page))

    @routes.get("/explain/<owner>/<name>/<int:number>")
    def explain(owner: str, name: str, number: int) -> Response:
        """Explain the verdict of one known pull request."""
        champion = scorer.champion
        return json_response(explanation_json(champion, find_known(champion, f"{owner}/{name}", number)))

    return routes


def known_verdicts(champion: Champion) -> VerdictTable:
    """Return the table of verdicts; raises a 503 where ml_training has not written one."""
    if champion.verdicts is None:
        raise not_ready(f"model {champion.model.version} has no verdicts of known pull requests yet; "
                        "run `python -m ml_training`, which writes them")
    return champion.verdicts


def find_known(champion: Champion, repository: str, number: int) -> JudgedPullRequest:
    """Return one known pull request; raises a 404."""
    found = known_verdicts(champion).find(repository, number)
    if found is None:
        raise ProblemError(404, "Unknown pull request", f"{ascii(repository)[1:-1][:200]}#{number}: not among the pull "
                           f"requests that model {champion.model.version} ranked; send it to POST /score", "number")
    return found


def read_filters(table: VerdictTable) -> Filters:
    """Read the filters of the query; raises a 400 or 404, naming the parameter."""
    repository, order = request.args.get("repository") or None, request.args.get("order", "unusual")
    if repository is not None and table.name_of(repository) is None:
        raise ProblemError(404, "Unknown repository", f"repository: seen {ascii(repository)[:200]}, which this model "
                           "does not rank", "repository")
    if order not in ORDERS:
        raise bad_query("order", order, " or ".join(ORDERS))
    only_unusual = request.args.get("unusual", "")
    if only_unusual not in ("", "0", "1", "true", "false"):
        raise bad_query("unusual", only_unusual, "true or false")
    search = request.args.get("search", "")
    if len(search) > MAX_SEARCH_CHARACTERS:
        raise bad_query("search", f"{len(search)} characters", f"at most {MAX_SEARCH_CHARACTERS}")
    return Filters(
        repository=repository, order=order, only_unusual=only_unusual in ("1", "true"),
        days=read_number("days", 0, MAX_DAYS) or None,
        search=search.strip(),
    )


def read_number(name: str, default: int, highest: int) -> int:
    """Read a whole number of the query, from 1 (or the default) to `highest`; raises a 400."""
    text = request.args.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and 1 <= int(text) <= highest):
        raise bad_query(name, text, f"a whole number from 1 to {highest}")
    return int(text)


def bad_query(name: str, seen: str | None, expected: str) -> ProblemError:
    """Return a 400 that names the parameter."""
    return ProblemError(400, "The query cannot be read", f"{name}: seen {ascii(seen)[:100]}, expected {expected}", name)
