"""POST /score and /score/batch: verdicts of pull requests that are sent along."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from flask import Blueprint, Response, request

from model_serving.answers import json_response, verdict_json
from model_serving.body import JSON_TYPES, LINES_TYPES, check_type, parse_json, read_body, read_chunks
from model_serving.problems import ProblemError, bad_record, problem_json
from model_serving.scorer import Champion, Scorer
from model_serving.settings import ServingSettings
from sentinel.errors import RecordError
from sentinel.json_fields import read_mapping, read_text
from sentinel.pull_request import MAX_FILES, PullRequest, parse_pull_request

ROWS_AT_ONCE = 32  # between two chances for other requests of the same worker


def scoring_routes(scorer: Scorer, settings: ServingSettings) -> Blueprint:
    """Return the paths that score."""
    routes = Blueprint("scoring", __name__)

    @routes.post("/score")
    def score() -> Response:
        """Score one pull request: GitHub's REST JSON, or the body of its webhook."""
        check_type(request, JSON_TYPES)
        payload = parse_json(read_body(request, settings.max_body_bytes, settings.body_seconds))
        champion = scorer.champion
        pull_request = read_pull_request(payload)
        [verdict] = champion.score([pull_request])
        return json_response(verdict_json(champion, pull_request, verdict))

    @routes.post("/score/batch")
    def score_batch() -> Response:
        """Score an array or JSON lines; each element gets its verdict or its problem, in order."""
        media_type = check_type(request, JSON_TYPES + LINES_TYPES)
        champion = scorer.champion
        if media_type in LINES_TYPES:
            answers = list(_score_all(champion, _read_lines(settings), settings.max_batch))
            return Response(_joined(answers, b"", b"\n", b"\n"), content_type=media_type)
        payloads = parse_json(read_body(request, settings.max_batch_bytes, settings.body_seconds))
        if not isinstance(payloads, list):
            raise ProblemError(400, "The body is no array", f"body: seen {type(payloads).__name__}, expected an array "
                               "of pull requests", "body")
        answers = list(_score_all(champion, iter(payloads), settings.max_batch))
        return Response(_joined(answers, b"[", b",", b"]"), content_type="application/json")

    return routes


def read_pull_request(payload: Any) -> PullRequest:
    """Read what a client sent; raises RecordError, naming the field."""
    if isinstance(payload, Mapping) and isinstance(payload.get("pull_request"), Mapping):
        name = read_text(read_mapping(payload, "repository"), "full_name")
        return parse_pull_request(_checked_files(payload["pull_request"]), repository=name).pull_request
    return parse_pull_request(_checked_files(payload)).pull_request


def _checked_files(payload: Any) -> Any:
    files = payload.get("files") if isinstance(payload, Mapping) else None
    if isinstance(files, list) and len(files) > MAX_FILES:
        raise RecordError(f"files: seen {len(files)} files, expected at most {MAX_FILES}, where GitHub's list ends")
    return payload


def _read_lines(settings: ServingSettings) -> Iterator[Any]:
    """Yield each line's JSON, or the problem with it, while the body still comes in."""
    rest = b""
    for chunk in read_chunks(request, settings.max_batch_bytes, settings.body_seconds):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield from _read_line(line)
    yield from _read_line(rest)


def _read_line(line: bytes) -> Iterator[Any]:
    if line.strip():
        try:
            yield parse_json(line)
        except ProblemError as problem:
            yield problem


def _score_all(champion: Champion, payloads: Iterator[Any], max_batch: int) -> Iterator[bytes]:
    """Yield one answer per payload, in order; a bad one costs the others nothing."""
    total, chunk = 0, []
    for payload in payloads:
        total += 1
        if total > max_batch:
            raise ProblemError(413, "The batch is too large", f"body: seen more than {max_batch} pull requests, "
                               "expected at most that many; send the rest in another request", "body")
        chunk.append(_read_or_problem(payload))
        if len(chunk) == ROWS_AT_ONCE:
            yield from _score_chunk(champion, chunk)
            chunk = []
            time.sleep(0)  # lets the worker's other requests run
    yield from _score_chunk(champion, chunk)


def _read_or_problem(payload: Any) -> PullRequest | ProblemError:
    if isinstance(payload, ProblemError):
        return payload
    try:
        return read_pull_request(payload)
    except RecordError as error:
        return bad_record(error)


def _score_chunk(champion: Champion, chunk: list[PullRequest | ProblemError]) -> Iterator[bytes]:
    good = [one for one in chunk if isinstance(one, PullRequest)]
    verdicts = iter(champion.score(good) if good else ())
    for one in chunk:
        if isinstance(one, ProblemError):
            yield orjson.dumps(problem_json(one))
        else:
            yield orjson.dumps(verdict_json(champion, one, next(verdicts)))


def _joined(answers: list[bytes], begin: bytes, between: bytes, end: bytes) -> bytes:
    return begin + between.join(answers) + (end if answers or begin else b"")
