"""All keys and hashes, page by page, on real servers."""

import pytest
from pymongo import MongoClient

from sentinel.stored_hashes import read_hashes


def document(key: object, **fields: object) -> dict[str, object]:
    return {"_id": key, "content_hash": f"hash of {key}", **fields}


FILED = [document(f"octo/{name}#{number}", repository=f"octo/{name}", number=number)
         for name in ("harbour", "pier") for number in (2, 9, 10, 100, 101)]
TWICE = [document(f"copy {copy}", repository="octo/pier", number=10) for copy in (1, 2)]
MISFILED = [
    document("octo/pier#7", repository="octo/pier", number="7"), document("octo/pier#8", repository="octo/pier"),
    document("octo/quay#1", number=1), document("octo/quay#2", repository=2, number=2), document(7), document({"a": 1}),
]


@pytest.fixture(params=["mongodb_uri", "mongo_java_server_uri"])
def collection(request, mongodb_database):
    """Each test runs on two independent servers."""
    with MongoClient(request.getfixturevalue(request.param)) as client:
        found = client[mongodb_database]["pull_requests"]
        found.create_index([("repository", 1), ("number", 1)])
        yield found


@pytest.mark.parametrize("most", [1, 2, 5, 2_000])
def test_every_document_is_found_once_however_short_the_pages(collection, most):
    collection.insert_many(FILED)

    found = list(read_hashes(collection, most))

    assert FILED == sorted(found, key=FILED.index)


@pytest.mark.parametrize("most", [4, 2_000])
def test_a_number_that_is_there_twice_is_found_twice(collection, most):
    collection.insert_many([*FILED, *TWICE])

    keys = [found["_id"] for found in read_hashes(collection, most)]

    assert sorted(one["_id"] for one in (*FILED, *TWICE)) == sorted(keys)


def test_documents_without_repository_or_number_come_last(collection):
    collection.insert_many([*MISFILED, *FILED])

    keys = [found["_id"] for found in read_hashes(collection, 2)]

    assert sorted(one["_id"] for one in FILED) == sorted(keys[:len(FILED)])
    assert sorted(str(one["_id"]) for one in MISFILED) == sorted(map(str, keys[len(FILED):]))


def test_no_document_is_no_page(collection):
    assert [] == list(read_hashes(collection))
