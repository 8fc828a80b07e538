"""Whatever is sent, the answer is a 4xx problem document that names what to correct."""

import gzip
from typing import Any

import orjson
import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings, strategies

from tests.model_serving.made_up_harbour import pull_request_json

JSON = {"Content-Type": "application/json"}


def with_text(field: str, text: bytes) -> bytes:
    """Return a pull request whose field holds raw JSON text."""
    return orjson.dumps(pull_request_json() | {field: "HERE"}).replace(b'"HERE"', text)


BAD_BODIES: list[tuple[str, bytes, int, str]] = [
    ("no JSON", b"pull request 12", 400, "body"),
    ("nothing", b"", 400, "body"),
    ("an array", b"[]", 400, "pull request"),
    ("NaN", with_text("additions", b"NaN"), 400, "body"),
    ("a lone surrogate", with_text("title", b'"\\ud800"'), 400, "body"),
    ("no UTF-8", with_text("title", b'"\xff\xfe"'), 400, "body"),
    ("nested 10,000 deep", b'{"number":' + b"[" * 10_000 + b"]" * 10_000 + b"}", 400, "body"),
    ("nested 500 deep", with_text("labels", b"[" * 500 + b"]" * 500), 400, "body"),
    ("a key twice", b'{"number":1,' + orjson.dumps(pull_request_json())[1:], 400, "number"),
    ("a key twice, one escaped", b'{"n\\u0075mber":1,' + orjson.dumps(pull_request_json())[1:], 400, "number"),
    ("no number", orjson.dumps(pull_request_json() | {"number": None}), 400, "number"),
    ("a number in words", orjson.dumps(pull_request_json() | {"number": "12"}), 400, "number"),
    ("a negative size", orjson.dumps(pull_request_json(additions=-1)), 400, "additions"),
    ("a size beyond every integer", with_text("additions", b"1" + b"0" * 400), 400, "body"),
    ("the year 9999", orjson.dumps(pull_request_json(created_at="9999-12-31T23:59:59Z")), 400, "created_at"),
    ("no date", orjson.dumps(pull_request_json(created_at="yesterday")), 400, "created_at"),
    ("files of another kind", orjson.dumps(pull_request_json(files={"a": 1})), 400, "files"),
    ("3,001 files", orjson.dumps(pull_request_json(files=[{"filename": "a"}] * 3_001)), 400, "files"),
    ("a webhook of no repository", orjson.dumps({"pull_request": pull_request_json(), "repository": {"full_name": {}}}),
     400, "full_name"),
    ("a name with two slashes", orjson.dumps(pull_request_json(repository="a/b/c")), 400, "repository"),
    ("5 MB", orjson.dumps(pull_request_json(body="x" * 5_000_000)), 413, "body"),
]


@pytest.mark.parametrize(("body", "status", "field"), [case[1:] for case in BAD_BODIES],
                         ids=[case[0] for case in BAD_BODIES])
def test_a_bad_body_gets_a_problem_that_names_the_field(client: FlaskClient, body: bytes, status: int,
                                                        field: str) -> None:
    answer = client.post("/score", data=body, headers=JSON)

    assert status == answer.status_code, answer.data
    assert "application/problem+json" == answer.content_type
    assert field == answer.json["field"]


def test_3000_files_are_scored(client: FlaskClient) -> None:
    files = [{"filename": f"src/{number}.py", "additions": 1} for number in range(3_000)]

    assert 200 == client.post("/score", json=pull_request_json(files=files)).status_code


def test_a_gzip_bomb_is_refused(client: FlaskClient) -> None:
    bomb = gzip.compress(b" " * 40_000_000)

    answer = client.post("/score", data=bomb, headers=JSON | {"Content-Encoding": "gzip"})

    assert (413, "body") == (answer.status_code, answer.json["field"])


@pytest.mark.parametrize("packed", [b"no gzip", gzip.compress(b"{}")[:-4]])
def test_a_broken_gzip_is_refused(client: FlaskClient, packed: bytes) -> None:
    answer = client.post("/score", data=packed, headers=JSON | {"Content-Encoding": "gzip"})

    assert (400, "body") == (answer.status_code, answer.json["field"])


@pytest.mark.parametrize(("headers", "field"), [
    ({"Content-Type": "text/plain"}, "Content-Type"),
    ({}, "Content-Type"),
    (JSON | {"Content-Encoding": "br"}, "Content-Encoding"),
])
def test_another_type_is_refused(client: FlaskClient, headers: dict[str, str], field: str) -> None:
    answer = client.post("/score", data=b"{}", headers=headers)

    assert (415, field) == (answer.status_code, answer.json["field"])


def test_an_unknown_path_and_method_are_problems(client: FlaskClient) -> None:
    nowhere, wrong_method = client.get("/nowhere"), client.get("/score")

    assert (404, "application/problem+json") == (nowhere.status_code, nowhere.content_type)
    assert (405, "application/problem+json") == (wrong_method.status_code, wrong_method.content_type)
    assert "POST" in wrong_method.headers["Allow"]


@pytest.mark.parametrize(("query", "status", "field"), [
    ("limit=0", 400, "limit"), ("limit=many", 400, "limit"), ("limit=٣", 400, "limit"), ("order=best", 400, "order"),
    ("after=octo/harbour", 400, "after"), ("days=-1", 400, "days"), ("repository=octo/nowhere", 404, "repository"),
    ("colour=red", 400, "colour"), ("unusual=perhaps", 400, "unusual"),
    (f"search={'x' * 201}", 400, "search"),
])
def test_a_bad_query_is_a_problem_that_names_the_parameter(client: FlaskClient, query: str, status: int,
                                                           field: str) -> None:
    answer = client.get(f"/ranking?{query}")

    assert (status, field) == (answer.status_code, answer.json["field"])


anything = strategies.recursive(
    strategies.none() | strategies.booleans() | strategies.integers(-2**63, 2**63) | strategies.floats()
    | strategies.text(), lambda inner: strategies.lists(inner, max_size=3)
    | strategies.dictionaries(strategies.text(max_size=5), inner, max_size=3), max_leaves=8)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(field=strategies.sampled_from(sorted(pull_request_json())), value=anything)
def test_no_value_of_any_field_is_a_bug(client: FlaskClient, field: str, value: Any) -> None:
    answer = client.post("/score", data=orjson.dumps(pull_request_json() | {field: value}), headers=JSON)

    assert answer.status_code in (200, 400), answer.data
