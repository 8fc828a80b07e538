"""POST /score and /score/batch with a real model."""

import gzip
from typing import Any

import numpy as np
import orjson
import pytest
from flask.testing import FlaskClient

from model_serving.scorer import UNKNOWN_REPOSITORY, Scorer
from sentinel.pull_request import parse_pull_request
from sentinel.verdict import make_verdicts
from tests.model_serving.made_up_harbour import HARBOUR, odd_pull_request_json, pull_request_json

JSON = {"Content-Type": "application/json"}
LINES = {"Content-Type": "application/x-ndjson"}


def post(client: FlaskClient, payload: Any, path: str = "/score", headers: dict[str, str] = JSON) -> Any:
    body = payload if isinstance(payload, bytes) else orjson.dumps(payload)
    return client.post(path, data=body, headers=headers)


def test_the_score_is_the_one_that_the_model_gives_directly(client: FlaskClient, scorer: Scorer) -> None:
    pull_request = parse_pull_request(pull_request_json()).pull_request
    vector = scorer.champion.histories[HARBOUR].features(pull_request)
    [expected] = make_verdicts(scorer.champion.model, [HARBOUR], [900], [False], np.array([vector]))

    answer = post(client, pull_request_json()).json

    assert round(expected.score, 6) == answer["score"]
    assert round(expected.percentile, 6) == answer["percentile"]
    assert [reason.sentence for reason in expected.reasons] == [reason["sentence"] for reason in answer["reasons"]]


def test_the_same_request_gives_the_same_bytes_and_changes_no_history(client: FlaskClient) -> None:
    first = post(client, odd_pull_request_json()).data

    assert [first] * 5 == [post(client, odd_pull_request_json()).data for _ in range(5)]


def test_an_odd_pull_request_scores_higher_than_a_usual_one_and_says_why(client: FlaskClient) -> None:
    odd, usual = post(client, odd_pull_request_json(121)).json, post(client, pull_request_json(121)).json

    assert odd["score"] > usual["score"]
    assert odd["is_unusual"] and odd["reasons"]


def test_an_answer_names_model_fingerprint_and_history(client: FlaskClient, scorer: Scorer) -> None:
    answer = post(client, pull_request_json()).json

    assert scorer.champion.model.version == answer["model_version"]
    assert scorer.champion.model.feature_fingerprint == answer["feature_fingerprint"]
    assert scorer.champion.facts.features_run_id == answer["history_snapshot"]


def test_a_webhook_body_is_scored_like_its_pull_request(client: FlaskClient) -> None:
    webhook = {"action": "opened", "pull_request": pull_request_json(), "repository": {"full_name": HARBOUR}}

    assert post(client, pull_request_json()).data == post(client, webhook).data


def test_an_unknown_repository_is_scored_and_says_so(client: FlaskClient) -> None:
    answer = post(client, pull_request_json(repository="octo/elsewhere"))

    assert 200 == answer.status_code
    assert UNKNOWN_REPOSITORY in answer.json["notes"]
    assert answer.json["warm_up"]


def test_the_case_of_a_repository_does_not_count(client: FlaskClient) -> None:
    assert post(client, pull_request_json()).data == post(client, pull_request_json(repository="Octo/Harbour")).data


def test_gzip_is_unpacked(client: FlaskClient) -> None:
    packed = gzip.compress(orjson.dumps(pull_request_json()))

    answer = post(client, packed, headers=JSON | {"Content-Encoding": "gzip"})

    assert post(client, pull_request_json()).data == answer.data


@pytest.mark.parametrize("form", ["array", "lines"])
def test_a_batch_answers_each_element_in_order(client: FlaskClient, form: str) -> None:
    payloads = [pull_request_json(901), {"number": "nine"}, odd_pull_request_json(902)] * 30

    if form == "array":
        answers = post(client, payloads, "/score/batch").json
    else:
        lines = post(client, b"\n".join(map(orjson.dumps, payloads)), "/score/batch", LINES).data
        answers = [orjson.loads(line) for line in lines.splitlines()]

    assert 90 == len(answers)
    assert [901, None, 902] * 30 == [answer.get("number") for answer in answers]
    assert "base.repo.full_name" == answers[1]["field"] or "repository" == answers[1]["field"]


def test_one_element_of_a_batch_gets_what_it_gets_alone(client: FlaskClient) -> None:
    alone = post(client, pull_request_json()).json

    [together] = post(client, [pull_request_json()], "/score/batch").json

    assert alone == together


def test_a_broken_line_costs_the_others_nothing(client: FlaskClient) -> None:
    body = orjson.dumps(pull_request_json()) + b"\n{broken\n\n" + orjson.dumps(pull_request_json())

    answers = [orjson.loads(line) for line in post(client, body, "/score/batch", LINES).data.splitlines()]

    assert [900, None, 900] == [answer.get("number") for answer in answers]
    assert 400 == answers[1]["status"]


def test_an_empty_batch_gets_an_empty_answer(client: FlaskClient) -> None:
    assert [] == post(client, [], "/score/batch").json
    assert b"" == post(client, b"", "/score/batch", LINES).data


def test_a_batch_above_the_limit_is_refused(client: FlaskClient) -> None:
    answer = post(client, [1] * 10_001, "/score/batch")

    assert 413 == answer.status_code
    assert "10000" in answer.json["detail"]
