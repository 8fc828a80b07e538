"""The validator, read as the JSON Schema that it nearly is: neither test server enforces it."""

from typing import Any

import pytest

from sentinel.pull_request_document import VALIDATOR, to_document
from sentinel.sources.simulated import make_simulated_github

TYPES = {"int": "integer", "long": "integer"}


def as_json_schema(part: Any) -> Any:
    """Replace MongoDB's names of types by those of JSON Schema."""
    if isinstance(part, list):
        return [as_json_schema(one) for one in part]
    if not isinstance(part, dict):
        return part
    written = {name: as_json_schema(value) for name, value in part.items() if name != "bsonType"}
    if "bsonType" not in part:
        return written
    kinds = [part["bsonType"]] if isinstance(part["bsonType"], str) else part["bsonType"]
    return written | {"type": sorted({TYPES.get(kind, kind) for kind in kinds})}


@pytest.fixture(scope="module")
def validator() -> Any:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    return jsonschema.Draft4Validator(as_json_schema(VALIDATOR["$jsonSchema"]))


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    github = make_simulated_github("", pull_requests={"saltmarsh/harbour": 1})
    return to_document(next(github.repositories["saltmarsh/harbour"].records()))


def test_every_simulated_pull_request_is_valid(validator):
    github = make_simulated_github("", pull_requests={"saltmarsh/harbour": 300})
    records = github.repositories["saltmarsh/harbour"].records()

    assert [] == [error.message for record in records for error in validator.iter_errors(to_document(record))]


@pytest.mark.parametrize("field, value", [
    ("number", 0), ("number", "7"), ("title", None), ("created_at", None), ("additions", -1), ("user", "ada"),
    ("files", [{"status": "added"}]), ("files", "none"), ("merged_at", 7),
])
def test_what_is_no_pull_request_is_refused(validator, document, field, value):
    assert validator.is_valid(document)
    assert not validator.is_valid(document | {field: value})
