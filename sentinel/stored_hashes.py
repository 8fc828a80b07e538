"""Which pull requests MongoDB holds: a look over all keys and hashes, page by page.

One read over everything would be simpler, but the embedded server has read it all before it answers with the first
document, so that a large collection exceeds the budget of one operation.
It finds no place in `_id` by an index either; the index of repository and number serves on every server.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from pymongo.collection import Collection

Document = dict[str, Any]

PAGE = 2_000  # documents; the embedded server unpacks each as a whole, patches and all
HASHES = {"repository": 1, "number": 1, "content_hash": 1}
ANY_NUMBER = {"$gte": -math.inf}
MISFILED = {"$nor": [{"repository": {"$type": "string"}, "number": ANY_NUMBER}]}  # the embedded server has no $not


def read_hashes(pull_requests: Collection[Document], most: int = PAGE) -> Iterator[Document]:
    """Yield `_id`, repository, number and content hash of every document, at most `most` a read.

    Those without a repository and a number come last, all in one read, which is left out where the server counts none.
    """
    n_seen = 0
    for repository in pull_requests.distinct("repository"):
        if isinstance(repository, str):
            for found in _of_one_repository(pull_requests, of_repository(repository), most):
                n_seen += 1
                yield found
    if n_seen < pull_requests.estimated_document_count():
        yield from pull_requests.find(MISFILED, HASHES)


def of_repository(repository: str) -> Document:
    """Return the filter of one repository's documents.

    It is spelled so that the embedded server finds its index; a plain equality makes it read everything.
    """
    return {"repository": {"$eq": repository}}


def _of_one_repository(pull_requests: Collection[Document], wanted: Mapping[str, Any], most: int) -> Iterator[Document]:
    """Yield one page after the other; a page begins at the last number of the one before, which may be there twice.

    To the embedded server every text is above all numbers: what it finds so belongs to the misfiled.
    """
    numbers, seen = ANY_NUMBER, list[Any]()
    while True:
        limit = most + len(seen)
        page = list(pull_requests.find({**wanted, "number": numbers}, HASHES).sort("number").limit(limit))
        yield from (found for found in page if isinstance(found["number"], int | float) and found["_id"] not in seen)
        if len(page) < limit:
            return
        last = page[-1]["number"]
        numbers, seen = {"$gte": last}, [found["_id"] for found in page if found["number"] == last]
