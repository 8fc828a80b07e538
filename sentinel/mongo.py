"""The pull requests in MongoDB: stored page by page, read repository by repository."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import bson
import orjson
from pymongo import ASCENDING, MongoClient, ReplaceOne
from pymongo.database import Database
from pymongo.errors import (
    AutoReconnect, BulkWriteError, ConfigurationError, ExecutionTimeout, InvalidURI, OperationFailure, PyMongoError,
)

from sentinel.errors import PermissionDeniedError, SettingsError, UnavailableError
from sentinel.pull_request import PullRequestRecord, to_rest_json
from sentinel.settings import MongoSettings
from sentinel.sources.page import Cursor, Page, RejectedRecord

SERVER_SELECTION_MILLISECONDS = 5_000
NOT_ALLOWED_CODES = frozenset({13, 18, 8000})  # Unauthorized, AuthenticationFailed, Atlas' own
DUPLICATE_KEY_CODE = 11000  # two writers inserted the same document at once; the second try replaces it
READ_BATCH = 500
MAX_DOCUMENT_BYTES = 15_000_000  # MongoDB takes 16 MiB, its own fields included
MAX_RAW_CHARACTERS = 65_536

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class StoredCounts:
    """What storing a page did."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    rejected: int = 0

    def __add__(self, other: "StoredCounts") -> "StoredCounts":
        """Add up two pages."""
        return StoredCounts(self.new + other.new, self.changed + other.changed,
                            self.unchanged + other.unchanged, self.rejected + other.rejected)


class PullRequestStore:
    """The collections `pull_requests`, `fetch_cursors` and `rejected_pull_requests`."""

    def __init__(self, database: Database[Document]) -> None:
        """Use the collections of `database`; nothing is sent yet."""
        self._pull_requests = database["pull_requests"]
        self._cursors = database["fetch_cursors"]
        self._rejected = database["rejected_pull_requests"]
        self._holds_rejected: bool | None = None  # None: not looked yet

    def prepare(self) -> None:
        """Create the indexes that the reads below use; safe to repeat."""
        with translated_errors("create the indexes"):
            self._pull_requests.create_index([("repository", ASCENDING), ("number", ASCENDING)])
            self._rejected.create_index([("pull_request", ASCENDING)])

    def save_page(self, page: Page) -> StoredCounts:
        """Upsert what is new or changed, keep what was rejected; write nothing that is already there.

        What is stored with a later `updated_at` stays as it is, and counts as unchanged.
        """
        documents = {document["_id"]: document for document in map(to_document, page.records)}
        with translated_errors("store pull requests"):
            known = self._known(list(documents))
            wanted = [document for document in documents.values() if _is_news(document, known.get(document["_id"]))]
            storable, too_large = _within_size(wanted)
            refused = (*too_large, *self._replace(storable))
            self._keep_rejected((*page.rejected, *refused))
            refused_keys = {reject.place for reject in refused}
            stored = [document["_id"] for document in wanted if document["_id"] not in refused_keys]
            self._forget_rejected(stored)
        changed = sum(key in known for key in stored)
        return StoredCounts(
            new=len(stored) - changed, changed=changed, unchanged=len(page.records) - len(wanted),
            rejected=len(page.rejected) + len(refused),
        )

    def saved_cursor(self, source: str, repository: str) -> Cursor | None:
        """Return how far `repository` was read from `source`, or None."""
        with translated_errors("read how far the last fetch came"):
            found = self._cursors.find_one({"_id": f"{source} {repository}"})
        return None if found is None else orjson.loads(found["cursor"])

    def save_cursor(self, source: str, repository: str, cursor: Cursor) -> None:
        """Save how far `repository` is read; call it after the page is stored."""
        key, text = f"{source} {repository}", orjson.dumps(dict(cursor), option=orjson.OPT_SORT_KEYS).decode()
        with translated_errors("save how far this fetch came"):
            self._cursors.replace_one({"_id": key}, {"_id": key, "cursor": text}, upsert=True)

    def content_hashes(self) -> Iterator[tuple[str, str, str]]:
        """Yield (repository, _id, content hash) of every pull request, in no order."""
        with translated_errors("read which pull requests are stored"):
            for found in self._pull_requests.find({}, {"repository": 1, "content_hash": 1}, batch_size=10_000):
                yield found["repository"], found["_id"], found["content_hash"]

    def read(self, repository: str) -> Iterator[Document]:
        """Yield the documents of one repository, each in GitHub's REST shape, in no order."""
        with translated_errors(f"read the pull requests of {repository}"):
            yield from self._pull_requests.find(of_repository(repository), batch_size=READ_BATCH)

    def read_numbers(self, repository: str, first: int, last: int) -> Iterator[Document]:
        """Yield the documents of one repository from number `first` to `last`, in no order."""
        wanted = {**of_repository(repository), "number": {"$gte": first, "$lte": last}}
        with translated_errors(f"read the pull requests of {repository}"):
            yield from self._pull_requests.find(wanted, batch_size=READ_BATCH)

    def _known(self, keys: list[str]) -> dict[str, Document]:
        """Return what is stored under `keys`, without the content."""
        if not keys:
            return {}
        found = self._pull_requests.find({"_id": {"$in": keys}}, {"content_hash": 1, "updated_at": 1})
        return {document["_id"]: document for document in found}

    def _replace(self, documents: list[Document], tries: int = 2) -> tuple[RejectedRecord, ...]:
        """Replace documents; return those that the server refused, with its reason."""
        if not documents:
            return ()
        writes = [ReplaceOne({"_id": document["_id"]}, document, upsert=True) for document in documents]
        try:
            self._pull_requests.bulk_write(writes, ordered=False)
        except BulkWriteError as error:
            failed = error.details.get("writeErrors", [])
            if not failed:
                raise
            again = [documents[one["index"]] for one in failed if one["code"] == DUPLICATE_KEY_CODE and tries > 1]
            refused = [one for one in failed if one["code"] != DUPLICATE_KEY_CODE or tries == 1]
            return (
                *(_refused(documents[one["index"]], f"MongoDB refused it: {one['errmsg']}") for one in refused),
                *self._replace(again, tries - 1),
            )
        return ()

    def _keep_rejected(self, rejected: tuple[RejectedRecord, ...]) -> None:
        if not rejected:
            return
        writes = []
        for reject in rejected:
            key = hashlib.sha256(reject.place.encode(errors="replace")).hexdigest()[:32]
            document = {
                "_id": key, "place": _storable(reject.place), "pull_request": _storable(reject.key or reject.place),
                "reason": _storable(reject.reason), "raw": _storable(reject.raw),
            }
            writes.append(ReplaceOne({"_id": key}, document, upsert=True))
        self._rejected.bulk_write(writes, ordered=False)
        self._holds_rejected = True

    def _forget_rejected(self, keys: list[str]) -> None:
        """Drop the rejections of pull requests that are stored now."""
        if self._holds_rejected is None:
            self._holds_rejected = self._rejected.find_one({}, {"_id": 1}) is not None
        if keys and self._holds_rejected:
            self._rejected.delete_many({"pull_request": {"$in": keys}})


@contextmanager
def open_pull_request_store(settings: MongoSettings) -> Iterator[PullRequestStore]:
    """Connect to MongoDB; every operation has a budget. Raises SettingsError for a URI that is none."""
    try:
        client: MongoClient[Document] = MongoClient(
            settings.mongodb_uri.get_secret_value(), appname="sentinel", tz_aware=True,
            serverSelectionTimeoutMS=SERVER_SELECTION_MILLISECONDS,
            timeoutMS=int(settings.mongodb_budget_seconds * 1000),
        )
    except (InvalidURI, ConfigurationError) as error:
        raise SettingsError(f"MONGODB_URI cannot be used: {error}; expected mongodb://HOST:PORT") from None
    with client:
        yield PullRequestStore(client[settings.mongodb_database])


@contextmanager
def translated_errors(action: str) -> Iterator[None]:
    """Turn the driver's errors into ours, naming the action that could not be done."""
    try:
        yield
    except OperationFailure as error:
        if error.code in NOT_ALLOWED_CODES:
            raise PermissionDeniedError(
                f"could not {action}: MongoDB does not allow it (code {error.code}); "
                "check the user in MONGODB_URI and its roles") from error
        if isinstance(error, (ExecutionTimeout, BulkWriteError)) or error.has_error_label("RetryableWriteError"):
            raise _unavailable(action, error) from error
        raise
    except (AutoReconnect, ConnectionError) as error:
        raise _unavailable(action, error) from error
    except PyMongoError as error:
        if error.timeout:
            raise _unavailable(action, error) from error
        raise


def of_repository(repository: str) -> Document:
    """Return the filter of one repository's documents.

    It is spelled so that the embedded server finds its index; a plain equality makes it read everything.
    """
    return {"repository": {"$eq": repository}}


def to_document(record: PullRequestRecord) -> Document:
    """Return the stored form: GitHub's REST shape, a deterministic `_id`, and a hash of the content."""
    document = to_rest_json(record)
    content_hash = hashlib.sha256(orjson.dumps(document, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]
    opened = record.pull_request
    return {"_id": opened.key, "repository": opened.repository, "content_hash": content_hash, **document}


def to_payload(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return GitHub's REST shape of a stored document, as `parse_pull_request` reads it."""
    return {name: value for name, value in document.items() if name not in ("_id", "repository", "content_hash")}


def _is_news(document: Document, stored: Document | None) -> bool:
    """Tell whether a document has to be written over what is stored."""
    if stored is None or document["content_hash"] == stored["content_hash"]:
        return stored is None
    return document["updated_at"] is None or document["updated_at"] >= (stored.get("updated_at") or "")


def _within_size(documents: list[Document]) -> tuple[list[Document], tuple[RejectedRecord, ...]]:
    """Return the documents that MongoDB can hold, without patches where those are too much, and the others."""
    storable, too_large = [], []
    for document in documents:
        if _size(document) > MAX_DOCUMENT_BYTES:
            document = {**document, "files": [_without_patch(file) for file in document["files"]]}
        size = _size(document)
        if size > MAX_DOCUMENT_BYTES:
            too_large.append(_refused(document, f"too large: {size} bytes, at most {MAX_DOCUMENT_BYTES} can be stored"))
        else:
            storable.append(document)
    return storable, tuple(too_large)


def _size(document: Document) -> int:
    """Return the stored size in bytes; 0 for what is certainly small, which is nearly everything."""
    files = document["files"] or ()
    longest = sum(len(text) for file in files for text in file.values() if isinstance(text, str))
    return len(bson.encode(document)) if longest * 4 + len(files) * 300 > MAX_DOCUMENT_BYTES // 2 else 0


def _without_patch(file: Document) -> Document:
    kept = {name: value for name, value in file.items() if name != "patch"}
    return kept if "patch" not in file else kept | {"patch_truncated": True}


def _refused(document: Document, reason: str) -> RejectedRecord:
    content = orjson.dumps({name: value for name, value in document.items() if name != "files"})
    return RejectedRecord(document["_id"], reason, content[:MAX_RAW_CHARACTERS].decode(errors="ignore"))


def _storable(text: str) -> str:
    """Return text as BSON can hold it."""
    return text[:MAX_RAW_CHARACTERS].encode(errors="replace").decode()


def _unavailable(action: str, error: Exception) -> UnavailableError:
    seen = str(error).split(",")[0][:200]
    return UnavailableError(f"could not {action}: MongoDB did not answer in time ({seen}); "
                            "check that the server in MONGODB_URI runs, then run this again")
