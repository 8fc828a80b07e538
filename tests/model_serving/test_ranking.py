"""GET /ranking, /explain and the pages, over the verdicts of a real model."""

import re

from flask.testing import FlaskClient

from model_serving.scorer import Scorer
from sentinel.judged import Reason
from tests.model_serving.made_up_harbour import HARBOUR, N_PULL_REQUESTS, ODD_NUMBER, PIER


def test_a_ranking_is_ordered_and_leaves_the_warm_up_out(client: FlaskClient) -> None:
    answer = client.get("/ranking?limit=500").json
    scores = [row["score"] for row in answer["pull_requests"]]

    assert sorted(scores, reverse=True) == scores
    assert not any(row["warm_up"] for row in answer["pull_requests"])
    assert len(scores) == answer["total"] < sum(N_PULL_REQUESTS.values())


def test_the_odd_one_leads_its_repository(client: FlaskClient) -> None:
    first = client.get(f"/ranking?repository={HARBOUR}&limit=1").json["pull_requests"][0]

    assert (HARBOUR, ODD_NUMBER, True) == (first["repository"], first["number"], first["is_unusual"])


def test_pages_of_a_ranking_follow_each_other_without_gap_or_repeat(client: FlaskClient) -> None:
    whole = [row["number"] for row in client.get(f"/ranking?repository={PIER}&limit=500").json["pull_requests"]]
    numbers, after = [], ""
    while after is not None:
        answer = client.get("/ranking", query_string={"repository": PIER, "limit": 7, "after": after or None}).json
        numbers += [row["number"] for row in answer["pull_requests"]]
        after = answer["next_after"]

    assert whole == numbers


def test_filters_and_orders_apply(client: FlaskClient) -> None:
    newest = client.get("/ranking?order=newest&limit=500").json["pull_requests"]
    unusual = client.get("/ranking?unusual=true&limit=500").json["pull_requests"]
    found = client.get("/ranking?search=MALLORY").json["pull_requests"]
    recent = client.get("/ranking?days=3&limit=500").json["pull_requests"]

    assert sorted((row["opened_at"] for row in newest), reverse=True) == [row["opened_at"] for row in newest]
    assert unusual and all(row["is_unusual"] for row in unusual)
    assert [ODD_NUMBER] == [row["number"] for row in found]
    assert 0 < len(recent) <= 5


def test_an_explanation_shows_each_reason_beside_what_is_usual(client: FlaskClient) -> None:
    answer = client.get(f"/explain/{HARBOUR}/{ODD_NUMBER}").json

    assert answer["reasons"]
    for reason in answer["reasons"]:
        assert reason["usual"]["lowest"] <= reason["usual"]["median"] <= reason["usual"]["highest"]


def test_an_unknown_pull_request_is_a_404_that_says_what_to_do(client: FlaskClient) -> None:
    answer = client.get(f"/explain/{HARBOUR}/4711")

    assert 404 == answer.status_code
    assert "POST /score" in answer.json["detail"]


def test_hostile_titles_and_authors_are_text(client: FlaskClient) -> None:
    paths = ("/", f"/?repository={HARBOUR}", f"/pull-request/{HARBOUR}/{ODD_NUMBER}")
    pages = [client.get(path).text for path in paths]

    for page in pages:
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
        assert "&lt;b&gt;mallory&lt;/b&gt;" in page
        assert not re.search("<script|<b>mallory|\u202e|\x07", page)
        assert "{{ 7 * 7 }}" in page


def test_no_page_needs_what_the_policy_forbids(client: FlaskClient) -> None:
    for path in ("/", f"/pull-request/{HARBOUR}/{ODD_NUMBER}", "/api", "/?search=nothing+like+this"):
        answer = client.get(path)

        assert 200 == answer.status_code
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert not re.search(r"<script|<style|\sstyle=|\son\w+=", answer.text)


def test_the_page_of_a_pull_request_draws_every_reason(client: FlaskClient, scorer: Scorer) -> None:
    ranked = scorer.champion.verdicts.find(HARBOUR, ODD_NUMBER)

    page = client.get(f"/pull-request/{HARBOUR}/{ODD_NUMBER}").text

    assert isinstance(ranked.reasons[0], Reason)
    assert len(ranked.reasons) + 1 == page.count("<svg")
    assert "Unusual here" in page


def test_a_list_without_matches_offers_a_way_back(client: FlaskClient) -> None:
    page = client.get(f"/?repository={HARBOUR}&search=nothing+like+this").text

    assert "No pull request matches" in page
    assert f'href="/?repository={HARBOUR.replace("/", "%2F")}"' in page


def test_a_page_that_is_not_there_says_so_in_words(client: FlaskClient) -> None:
    answer = client.get(f"/pull-request/{HARBOUR}/4711")

    assert (404, "text/html") == (answer.status_code, answer.mimetype)
    assert "Back to the list" in answer.text
