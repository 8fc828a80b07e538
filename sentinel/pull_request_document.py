"""The stored form of a pull request: what it must look like, how large it may be, which of two wins."""

import hashlib
from collections.abc import Mapping
from typing import Any

import bson
import orjson

from sentinel.pull_request import PullRequestRecord, to_rest_json
from sentinel.sources.page import MAX_RAW_BYTES, RejectedRecord

Document = dict[str, Any]
MAX_DOCUMENT_BYTES = 15_000_000  # MongoDB takes 16 MiB, its own fields included

TEXT, TEXT_OR_NULL = {"bsonType": "string"}, {"bsonType": ["string", "null"]}
COUNT = {"bsonType": ["int", "long"], "minimum": 0}
# Only what later stages read: GitHub's own schema does not hold for a third of real pull requests.
VALIDATOR: Mapping[str, Any] = {"$jsonSchema": {
    "bsonType": "object",
    "required": ["_id", "repository", "number", "content_hash", "title", "created_at"],
    "properties": {
        "_id": TEXT, "repository": TEXT, "content_hash": TEXT, "title": TEXT, "created_at": TEXT,
        "number": {"bsonType": ["int", "long"], "minimum": 1},
        "body": TEXT_OR_NULL, "updated_at": TEXT_OR_NULL, "merged_at": TEXT_OR_NULL, "closed_at": TEXT_OR_NULL,
        "user": {"bsonType": ["object", "null"]}, "base": {"bsonType": "object"}, "head": {"bsonType": "object"},
        "additions": COUNT, "deletions": COUNT, "changed_files": COUNT,
        "files": {"bsonType": ["array", "null"], "items": {
            "bsonType": "object", "required": ["filename"], "properties": {"filename": TEXT}}},
    },
}}


def to_document(record: PullRequestRecord) -> Document:
    """Return the stored form: GitHub's REST shape, a deterministic `_id`, and a hash of the content."""
    document = to_rest_json(record)
    content_hash = hashlib.sha256(orjson.dumps(document, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]
    opened = record.pull_request
    return {"_id": opened.key, "repository": opened.repository, "content_hash": content_hash, **document}


def is_news(document: Document, stored: Document | None) -> bool:
    """Tell whether a document has to be written over what is stored."""
    if stored is None or document["content_hash"] == stored["content_hash"]:
        return stored is None
    return document["updated_at"] is None or document["updated_at"] >= (stored.get("updated_at") or "")


def within_size(documents: list[Document]) -> tuple[list[Document], list[RejectedRecord]]:
    """Return the documents that MongoDB can hold, without patches where those are too much, and the others."""
    storable, too_large = list[Document](), list[RejectedRecord]()
    for document in documents:
        if _size(document) > MAX_DOCUMENT_BYTES:
            document = {**document, "files": [_without_patch(file) for file in document["files"]]}
        size = _size(document)
        if size > MAX_DOCUMENT_BYTES:
            too_large.append(refused(document, f"too large: {size} bytes, at most {MAX_DOCUMENT_BYTES} can be stored"))
        else:
            storable.append(document)
    return storable, too_large


def refused(document: Document, reason: str) -> RejectedRecord:
    """Return a document that cannot be stored as a rejected record."""
    content = orjson.dumps({name: value for name, value in document.items() if name != "files"})
    return RejectedRecord(document["_id"], reason, content[:MAX_RAW_BYTES].decode(errors="ignore"))


def _size(document: Document) -> int:
    """Return the stored size in bytes; 0 for what is certainly small, which is nearly everything."""
    files = document["files"] or ()
    longest = sum(len(text) for file in files for text in file.values() if isinstance(text, str))
    return len(bson.encode(document)) if longest * 4 + len(files) * 300 > MAX_DOCUMENT_BYTES // 2 else 0


def _without_patch(file: Document) -> Document:
    kept = {name: value for name, value in file.items() if name != "patch"}
    return kept if "patch" not in file else kept | {"patch_truncated": True}
