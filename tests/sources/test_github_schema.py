"""Our query and the simulated answers, checked against GitHub's own published schema.

The schema is in the npm package @octokit/graphql-schema; `make test-contracts` installs it under build/.
"""

from pathlib import Path
from typing import Any

import pytest

from sentinel.sources.github.query import FILES, PULL_REQUESTS
from sentinel.sources.simulated import make_simulated_github
from sentinel.sources.simulated.api import SimulatedGitHub

SCHEMA = Path(__file__).parents[2] / "build/npm/node_modules/@octokit/graphql-schema/schema.graphql"
LOOKUPS_OF_A_POINT = 100
HARBOUR = "saltmarsh/harbour"


@pytest.fixture(scope="module")
def schema() -> Any:
    if not SCHEMA.exists():
        pytest.skip("GitHub's schema is not here; `make test-contracts` fetches it with npm")
    graphql = pytest.importorskip("graphql", reason="graphql-core is not installed")
    # The published text defines two fields twice, which strict builders refuse.
    return graphql.build_schema(SCHEMA.read_text(), assume_valid_sdl=True, assume_valid=True)


@pytest.fixture(scope="module")
def github() -> SimulatedGitHub:
    return make_simulated_github("", pull_requests={HARBOUR: 400})


@pytest.mark.parametrize("query", [PULL_REQUESTS, FILES])
def test_query_is_valid_by_githubs_schema(schema, query):
    import graphql

    assert [] == graphql.validate(schema, graphql.parse(query))


@pytest.mark.parametrize("query, variables", [
    (PULL_REQUESTS, {"first": 100, "field": "CREATED_AT", "direction": "ASC", "withFiles": True}),
    (PULL_REQUESTS, {"first": 100, "field": "UPDATED_AT", "direction": "DESC", "withFiles": False}),
    (FILES, {"number": 2}),
])
def test_simulated_answer_is_what_githubs_schema_makes_of_it(schema, github, query, variables):
    """Executing the query over the answer checks types, enums and nulls, and that no field is more or less."""
    import graphql
    import orjson
    variables = variables | {"owner": "saltmarsh", "name": "harbour", "after": None}
    operation = query.split()[1].partition("(")[0]
    body = orjson.dumps({"query": query, "operationName": operation, "variables": variables})
    data = orjson.loads(github.answer_graphql(body).body)["data"]
    made = graphql.graphql_sync(schema, query, data, variable_values=variables)

    assert made.errors is None
    assert data == made.data


def test_page_costs_one_point():
    """GitHub's formula: a connection looked up for each parent, divided by 100 and rounded."""
    n_lists_of_each_pull_request = PULL_REQUESTS.count("(first:") - 1

    assert 1 == round((1 + 100 * n_lists_of_each_pull_request) / LOOKUPS_OF_A_POINT)
