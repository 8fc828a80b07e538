"""The one parser of GitHub's JSON: the surprises of real payloads, and no others."""

import copy
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.errors import RecordError
from sentinel.pull_request import (
    AUTHOR_KINDS, FILE_STATUSES, MAX_BODY_CHARACTERS, MAX_COUNT, MAX_FILE_PATCH_CHARACTERS, MAX_FILES,
    MAX_PATCH_CHARACTERS, MAX_TITLE_CHARACTERS, ChangedFile, Outcome, PullRequest, PullRequestRecord, check_repository,
    parse_pull_request, to_rest_json,
)

REST = {
    "number": 12,
    "title": "Mend the crane",
    "body": "It was bent.",
    "user": {"login": "ada", "type": "User"},
    "created_at": "2026-03-02T09:30:00Z",
    "updated_at": "2026-03-03T10:00:00Z",
    "merged_at": "2026-03-03T09:59:58Z",
    "closed_at": "2026-03-03T09:59:58Z",
    "merge_commit_sha": "c" * 40,
    "base": {"ref": "main", "repo": {"full_name": "octo/harbour"}},
    "head": {"ref": "crane", "sha": "a" * 40, "repo": {"full_name": "ada/harbour"}},
    "commits": 2,
    "additions": 5,
    "deletions": 1,
    "changed_files": 1,
    "files": [{"filename": "crane.py", "status": "modified", "additions": 5, "deletions": 1, "patch": "@@ -1 +1 @@"}],
}
GRAPHQL = {
    "number": 12,
    "title": "Mend the crane",
    "body": "It was bent.",
    "author": {"__typename": "User", "login": "ada"},
    "createdAt": "2026-03-02T09:30:00Z",
    "updatedAt": "2026-03-03T10:00:00Z",
    "mergedAt": "2026-03-03T09:59:58Z",
    "closedAt": "2026-03-03T09:59:58Z",
    "mergeCommit": {"oid": "c" * 40},
    "baseRefName": "main",
    "baseRepository": {"nameWithOwner": "octo/harbour"},
    "headRefName": "crane",
    "headRefOid": "a" * 40,
    "headRepository": {"nameWithOwner": "ada/harbour"},
    "isCrossRepository": True,
    "commits": {"totalCount": 2},
    "additions": 5,
    "deletions": 1,
    "changedFiles": 1,
    "files": {"nodes": [{"path": "crane.py", "changeType": "MODIFIED", "additions": 5, "deletions": 1}]},
}


def changed(**fields: object) -> dict:
    return {**copy.deepcopy(REST), **fields}


def parse(**fields: object) -> PullRequest:
    return parse_pull_request(changed(**fields)).pull_request


def test_every_field_of_the_rest_shape_is_read():
    expected = PullRequestRecord(
        PullRequest(
            repository="octo/harbour", number=12, title="Mend the crane", body="It was bent.", author="ada",
            opened_at=datetime(2026, 3, 2, 9, 30, tzinfo=UTC), base_ref="main", head_ref="crane",
            head_repository="ada/harbour", is_from_fork=True, head_sha="a" * 40, commits=2, additions=5, deletions=1,
            changed_files=1, files=(ChangedFile("crane.py", "modified", 5, 1, patch="@@ -1 +1 @@"),),
        ),
        Outcome(datetime(2026, 3, 3, 10, tzinfo=UTC), *[datetime(2026, 3, 3, 9, 59, 58, tzinfo=UTC)] * 2, "c" * 40),
    )

    assert expected == parse_pull_request(REST)


def test_graphql_answer_is_read_as_the_rest_shape_without_patches():
    rest = parse_pull_request(REST)
    without = replace(rest.pull_request, files=(rest.pull_request.files[0]._replace(patch=None),))

    assert replace(rest, pull_request=without) == parse_pull_request(GRAPHQL)


@pytest.mark.parametrize("node, author", [
    (None, (None, "User")), ({"__typename": "Bot", "login": "dependabot"}, ("dependabot[bot]", "Bot")),
    ({"__typename": "Bot", "login": "dependabot[bot]"}, ("dependabot[bot]", "Bot")),
    ({"__typename": "Bot", "login": None}, (None, "User")),
    ({"__typename": "EnterpriseUserAccount", "login": "eve"}, ("eve", "User")),
])
def test_graphql_author_may_be_gone_or_of_a_new_kind(node, author):
    opened = parse_pull_request({**GRAPHQL, "author": node}).pull_request

    assert author == (opened.author, opened.author_kind)


@pytest.mark.parametrize("body, read", [("", None), (None, None), ("It was bent.", "It was bent.")])
def test_graphql_writes_an_empty_body_where_rest_has_null(body, read):
    assert read == parse_pull_request({**GRAPHQL, "body": body}).pull_request.body


def test_graphql_without_head_or_files_is_read():
    opened = parse_pull_request({**GRAPHQL, "headRepository": None, "files": None, "mergeCommit": None}).pull_request

    assert (None, True, None) == (opened.head_repository, opened.is_from_fork, opened.files)


@pytest.mark.parametrize("fields, read", [
    ({"head": {"ref": "crane", "sha": "a" * 40, "repo": None}}, {"head_repository": None, "is_from_fork": None}),
    ({"head": None}, {"head_ref": None, "head_repository": None}),
    ({"user": None}, {"author": None, "author_kind": "User"}),
    ({"user": {"login": None, "type": "Bot"}}, {"author": None, "author_kind": "User"}),
    ({"user": {"login": "ghost", "type": "Alien"}}, {"author": "ghost", "author_kind": "User"}),
    ({"body": None}, {"body": None}),
    ({"title": None}, {"title": ""}),
    ({"files": None}, {"files": None, "changed_files": 1}),
    ({"files": []}, {"files": ()}),
    ({"commits": None}, {"commits": None}),
    ({"title": "🦀\x00\x1b[31m\u202e"}, {"title": "🦀\x00\x1b[31m\u202e"}),
    ({"title": "half \ud83e pair"}, {"title": "half \ufffd pair"}),
    ({"created_at": "2026-03-02T09:30:00"}, {"opened_at": datetime(2026, 3, 2, 9, 30, tzinfo=UTC)}),
    ({"created_at": "2026-03-02T09:30:00+05:30"}, {"opened_at": datetime(2026, 3, 2, 4, tzinfo=UTC)}),
    ({"base": {"ref": None, "repo": {"full_name": "octo/harbour"}}}, {"base_ref": None}),
])
def test_surprise_of_real_payloads_is_read(fields, read):
    opened = parse(**fields)

    assert read == {name: getattr(opened, name) for name in read}


@pytest.mark.parametrize("file, read", [
    ({"filename": "a", "binary": True}, ChangedFile("a", is_binary=True)),
    ({"filename": "b", "status": "renamed", "previous_filename": "a", "additions": 0, "deletions": 0},
     ChangedFile("b", "renamed", previous_path="a")),
    ({"filename": "a", "status": "sideways"}, ChangedFile("a", "modified")),
    ({"filename": "a", "status": "added", "mode": "100755", "patch": ""},
     ChangedFile("a", "added", mode="100755", patch="")),
])
def test_kinds_of_files_are_read(file, read):
    assert (read,) == parse(files=[file]).files


def test_no_more_than_3000_files_are_kept_and_the_totals_stay():
    files = [{"filename": f"f{number}"} for number in range(MAX_FILES + 1)]
    opened = parse(files=files, additions=9_999, changed_files=MAX_FILES + 1)

    assert (MAX_FILES, 9_999, MAX_FILES + 1) == (len(opened.files), opened.additions, opened.changed_files)


def test_long_texts_are_cut():
    opened = parse(title="t" * 2_000, body="ß" * 70_000)

    assert (MAX_TITLE_CHARACTERS, MAX_BODY_CHARACTERS) == (len(opened.title), len(opened.body))


def test_patches_are_cut_per_file_and_in_sum():
    files = [{"filename": f"f{number}", "patch": "+" * 70_000} for number in range(20)]
    kept = parse(files=files).files

    assert MAX_PATCH_CHARACTERS == sum(len(file.patch) for file in kept)
    assert MAX_FILE_PATCH_CHARACTERS == len(kept[0].patch)
    assert all(file.is_patch_cut for file in kept)


def test_totals_are_added_up_where_the_payload_has_none():
    payload = changed(files=[{"filename": "a", "additions": 2, "deletions": 1}, {"filename": "b", "additions": 3}])
    for name in ("additions", "deletions", "changed_files"):
        del payload[name]
    opened = parse_pull_request(payload).pull_request

    assert (5, 1, 2) == (opened.additions, opened.deletions, opened.changed_files)


def test_repository_and_number_serve_where_the_payload_has_none():
    opened = parse_pull_request({"created_at": "2026-03-02T09:30:00Z"}, repository="octo/pier", number=3).pull_request

    assert "octo/pier#3" == opened.key


@pytest.mark.parametrize("fields, said", [
    ({"number": None}, "number"), ({"number": 0}, "number"), ({"number": True}, "number"), ({"number": "12"}, "number"),
    ({"number": 2**60}, "number"), ({"created_at": None}, "created_at"), ({"created_at": "yesterday"}, "created_at"),
    ({"created_at": 1_700_000_000}, "created_at"), ({"merged_at": "0001-01-01T00:00:00+14:00"}, "merged_at"),
    ({"closed_at": "2999-01-01T00:00:00Z"}, "closed_at"), ({"title": 5}, "title"), ({"user": "ada"}, "user"),
    ({"base": None}, "repository"), ({"base": {"repo": {"full_name": "a/b/c"}}}, "one slash"), ({"head": []}, "head"),
    ({"files": {}}, "files"), ({"files": [None]}, "files"), ({"files": [{"status": "added"}]}, "filename"),
    ({"additions": -1}, "additions"), ({"commits": 1.5}, "commits"), ({"changed_files": "many"}, "changed_files"),
])
def test_what_cannot_be_read_is_named(fields, said):
    with pytest.raises(RecordError, match=said):
        parse(**fields)


@pytest.mark.parametrize("payload", [None, [], "x", 1])
def test_payload_that_is_no_object_is_refused(payload):
    with pytest.raises(RecordError, match="expected a JSON object"):
        parse_pull_request(payload)


@pytest.mark.parametrize("name", ["harbour", "octo/", "/harbour", "octo/har bour", "o/h\n", "o/" + "h" * 200, None, 5])
def test_repository_has_one_owner_and_one_name(name):
    with pytest.raises(RecordError, match="expected OWNER/NAME"):
        check_repository(name)


def test_error_shows_little_of_the_value():
    with pytest.raises(RecordError) as caught:
        parse(created_at="x" * 10_000)

    assert len(str(caught.value)) < 200


texts = st.text(max_size=40)
names = st.from_regex(r"[A-Za-z0-9_.-]{1,20}/[A-Za-z0-9_.-]{1,20}", fullmatch=True)
counts = st.integers(0, MAX_COUNT)
times = st.datetimes(
    datetime(1970, 1, 2), datetime(2099, 12, 30),
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30)), timezone(-timedelta(hours=8))]))
files = st.builds(
    ChangedFile, path=st.text(min_size=1, max_size=40), status=st.sampled_from(sorted(FILE_STATUSES)), additions=counts,
    deletions=counts, previous_path=st.none() | texts, is_binary=st.booleans(), mode=st.none() | texts,
    previous_mode=st.none() | texts, patch=st.none() | texts)
pull_requests = st.builds(
    PullRequest, repository=names, number=st.integers(1, MAX_COUNT), title=texts, opened_at=times,
    body=st.none() | texts, author=texts, author_kind=st.sampled_from(sorted(AUTHOR_KINDS)), base_ref=st.none() | texts,
    head_ref=st.none() | texts, head_repository=st.none() | names, is_from_fork=st.booleans(),
    head_sha=st.none() | texts, commits=st.none() | counts, additions=counts, deletions=counts, changed_files=counts,
    files=st.none() | st.lists(files, max_size=3).map(tuple))
outcomes = st.builds(Outcome, st.none() | times, st.none() | times, st.none() | times, st.none() | texts)
inner_names = st.sampled_from(["repo", "login", "type", "full_name", "filename", "status", "patch", "nodes", "ref"])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(), max_leaves=6,
    extend=lambda inner: st.lists(inner, max_size=3) | st.dictionaries(inner_names, inner, max_size=4))


@settings(deadline=None, derandomize=True, max_examples=50)
@given(st.builds(PullRequestRecord, pull_requests, outcomes))
def test_written_record_is_read_back_equal(record):
    written = orjson.loads(orjson.dumps(to_rest_json(record)))

    assert record == parse_pull_request(written)


@settings(deadline=None, derandomize=True, max_examples=150)
@given(st.dictionaries(st.sampled_from(sorted({*REST, *GRAPHQL})), json_values, max_size=4), st.booleans())
def test_any_payload_is_read_or_refused_and_reads_back(fields, is_graphql):
    try:
        record = parse_pull_request({**(GRAPHQL if is_graphql else REST), **fields})
    except RecordError:
        return

    assert record == parse_pull_request(orjson.loads(orjson.dumps(to_rest_json(record))))
