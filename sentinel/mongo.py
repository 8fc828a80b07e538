"""The pull requests in MongoDB: stored page by page, read repository by repository."""

import hashlib
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import orjson
import pymongo
from pymongo import ASCENDING, MongoClient, ReplaceOne
from pymongo.database import Database
from pymongo.errors import (
    AutoReconnect, BulkWriteError, ConfigurationError, ExecutionTimeout, InvalidURI, OperationFailure, PyMongoError,
)

from sentinel.errors import PermissionDeniedError, SettingsError, UnavailableError
from sentinel.logs import get_logger
from sentinel.pull_request_document import VALIDATOR, Document, is_news, refused, to_document, within_size
from sentinel.settings import MongoSettings
from sentinel.sources.page import Cursor, Page, RejectedRecord
from sentinel.stored_hashes import of_repository, read_hashes

SERVER_SELECTION_MILLISECONDS = 5_000
NOT_ALLOWED_CODES = frozenset({13, 18, 8000})  # Unauthorized, AuthenticationFailed, Atlas' own
DUPLICATE_KEY_CODE = 11000  # two writers inserted the same document at once; the second try replaces it
READ_BATCH = 500
MAX_RAW_CHARACTERS = 65_536
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.1, 2.0  # between the tries of a write that broke off
SERVER = re.compile(r"<ServerDescription \('([^']+)', (\d+)\)")  # as the driver writes it

T = TypeVar("T")


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
        self._database = database
        self._pull_requests = database["pull_requests"]
        self._cursors = database["fetch_cursors"]
        self._rejected = database["rejected_pull_requests"]
        self._holds_rejected: bool | None = None  # None: not looked yet
        self._likely_new: set[str] = set()  # repositories whose last page was all new

    def prepare(self) -> None:
        """Create the indexes that the reads below use, and the validator; safe to repeat."""
        with translated_errors("create the indexes"):
            self._retried(lambda: self._pull_requests.create_index([("repository", ASCENDING), ("number", ASCENDING)]))
            self._retried(lambda: self._rejected.create_index([("pull_request", ASCENDING)]))
        with translated_errors("set the validator"):
            self._retried(self._validate)

    def save_page(self, page: Page) -> StoredCounts:
        """Upsert what is new or changed, keep what was rejected; write nothing that is already there.

        What is stored with a later `updated_at` stays as it is, and counts as unchanged. A
        connection that breaks is tried again within the budget: what was written then already
        counts as unchanged too.
        """
        documents = {document["_id"]: document for document in map(to_document, page.records)}
        with translated_errors("store pull requests"):
            return self._retried(lambda: self._save(page, documents))

    def saved_cursor(self, source: str, repository: str) -> Cursor | None:
        """Return how far `repository` was read from `source`, or None."""
        with translated_errors("read how far the last fetch came"):
            found = self._retried(lambda: self._cursors.find_one({"_id": f"{source} {repository}"}))
        return None if found is None else orjson.loads(found["cursor"])

    def save_cursor(self, source: str, repository: str, cursor: Cursor) -> None:
        """Save how far `repository` is read; call it after the page is stored."""
        key, text = f"{source} {repository}", orjson.dumps(dict(cursor), option=orjson.OPT_SORT_KEYS).decode()
        with translated_errors("save how far this fetch came"):
            self._retried(lambda: self._cursors.replace_one(
                {"_id": key}, {"_id": key, "cursor": text}, upsert=True))

    def content_hashes(self) -> Iterator[tuple[str, str, str]]:
        """Yield (repository, _id, content hash) of every pull request, in no order; each page has its own budget."""
        with translated_errors("read which pull requests are stored"):
            for found in read_hashes(self._pull_requests):
                yield found.get("repository"), found["_id"], found.get("content_hash")

    def read(self, repository: str) -> Iterator[Document]:
        """Yield the documents of one repository, each in GitHub's REST shape, in no order."""
        with translated_errors(f"read the pull requests of {repository}"):
            yield from self._pull_requests.find(of_repository(repository), batch_size=READ_BATCH)

    def read_numbers(self, repository: str, first: int, last: int) -> Iterator[Document]:
        """Yield the documents of one repository from number `first` to `last`, in no order."""
        wanted = {**of_repository(repository), "number": {"$gte": first, "$lte": last}}
        with translated_errors(f"read the pull requests of {repository}"):
            yield from self._pull_requests.find(wanted, batch_size=READ_BATCH)

    def _retried(self, operation: Callable[[], T]) -> T:
        """Repeat what broke off with its connection; all tries together have the budget of one operation."""
        budget_seconds = self._database.client.options.timeout
        give_up_at, wait_seconds = time.monotonic() + budget_seconds, FIRST_WAIT_SECONDS
        with pymongo.timeout(budget_seconds):
            while True:
                try:
                    return operation()
                except AutoReconnect as error:
                    if time.monotonic() + wait_seconds > give_up_at:
                        raise
                    get_logger().warning("mongodb.retried", seen=str(error).split(",")[0][:200])
                time.sleep(random.uniform(wait_seconds / 2, wait_seconds))
                wait_seconds = min(2 * wait_seconds, LONGEST_WAIT_SECONDS)

    def _save(self, page: Page, documents: Mapping[str, Document]) -> StoredCounts:
        """Insert where all is likely to be new, which saves a round trip; else look first what is there."""
        rest, refusals = list(documents.values()), list[RejectedRecord]()
        if page.repository in self._likely_new:
            rest, refusals = self._insert(rest)
        known = self._known(rest)
        wanted = [document for document in rest if is_news(document, known.get(document["_id"]))]
        refusals += self._replace(wanted)
        self._keep_rejected((*page.rejected, *refusals))
        unwritten = {reject.place for reject in refusals}
        unwritten |= {document["_id"] for document in rest} - {document["_id"] for document in wanted}
        written = [key for key in documents if key not in unwritten]
        self._forget_rejected(written)
        changed = sum(key in known for key in written)
        self._note_likely_new(page.repository, bool(written) and changed == 0 and len(written) == len(documents))
        return StoredCounts(
            new=len(written) - changed, changed=changed,
            unchanged=len(page.records) - len(written) - len(refusals), rejected=len(page.rejected) + len(refusals),
        )

    def _note_likely_new(self, repository: str, is_likely_new: bool) -> None:
        if is_likely_new:
            self._likely_new.add(repository)
        else:
            self._likely_new.discard(repository)

    def _validate(self) -> None:
        """Let the server refuse what is no pull request; tell where it does not."""
        if self._pull_requests.options().get("validator") == VALIDATOR:
            return
        try:
            self._database.command("collMod", self._pull_requests.name, validator=VALIDATOR)
        except OperationFailure as error:
            outcome, reason = "refused", str(error.details.get("errmsg") if error.details else error)
        else:
            is_kept = self._pull_requests.options().get("validator") == VALIDATOR
            outcome, reason = ("kept", None) if is_kept else ("ignored", "the server took it and does not show it")
        get_logger().info("mongodb.validator_set", outcome=outcome, reason=reason)

    def _known(self, documents: list[Document]) -> dict[str, Document]:
        """Return what is stored under the documents' keys, without the content."""
        if not documents:
            return {}
        keys = [document["_id"] for document in documents]
        found = self._pull_requests.find({"_id": {"$in": keys}}, {"content_hash": 1, "updated_at": 1})
        return {document["_id"]: document for document in found}

    def _insert(self, documents: list[Document]) -> tuple[list[Document], list[RejectedRecord]]:
        """Insert documents; return those whose key is there already, and those that cannot be stored."""
        storable, refusals = within_size(documents)
        failed = _write_errors(lambda: self._pull_requests.insert_many(storable, ordered=False)) if storable else []
        there = [storable[one["index"]] for one in failed if one["code"] == DUPLICATE_KEY_CODE]
        refusals += _refusals(storable, [one for one in failed if one["code"] != DUPLICATE_KEY_CODE])
        return there, refusals

    def _replace(self, documents: list[Document], tries: int = 2) -> list[RejectedRecord]:
        """Replace documents; return those that cannot be stored, with the reason."""
        storable, refusals = within_size(documents)
        if not storable:
            return refusals
        writes = [ReplaceOne({"_id": document["_id"]}, document, upsert=True) for document in storable]
        failed = _write_errors(lambda: self._pull_requests.bulk_write(writes, ordered=False))
        again = [storable[one["index"]] for one in failed if one["code"] == DUPLICATE_KEY_CODE and tries > 1]
        refusals += _refusals(storable, [one for one in failed if one["code"] != DUPLICATE_KEY_CODE or tries == 1])
        return [*refusals, *self._replace(again, tries - 1)]

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
    except ConfigurationError as error:
        raise SettingsError(f"could not {action}: {error}; use another server in MONGODB_URI") from error
    except PyMongoError as error:
        if error.timeout:
            raise _unavailable(action, error) from error
        raise


def to_payload(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return GitHub's REST shape of a stored document, as `parse_pull_request` reads it."""
    return {name: value for name, value in document.items() if name not in ("_id", "repository", "content_hash")}


def _write_errors(write: Callable[[], Any]) -> list[Document]:
    """Write; return the errors about single documents, and raise those about the whole."""
    try:
        write()
    except BulkWriteError as error:
        if not error.details.get("writeErrors"):
            raise
        return list(error.details["writeErrors"])
    return []


def _refusals(documents: list[Document], failed: list[Document]) -> list[RejectedRecord]:
    return [refused(documents[one["index"]], f"MongoDB refused it: {one['errmsg']}") for one in failed]


def _storable(text: str) -> str:
    """Return text as BSON can hold it."""
    return text[:MAX_RAW_CHARACTERS].encode(errors="replace").decode()


def _unavailable(action: str, error: Exception) -> UnavailableError:
    seen = str(error).split(",")[0][:200]
    # The driver names a server that is silent only at the end of a long text.
    unnamed = [f"{host}:{port}" for host, port in SERVER.findall(str(error)) if f"{host}:{port}" not in seen]
    asked = f"; asked: {', '.join(dict.fromkeys(unnamed))}" if unnamed else ""
    return UnavailableError(f"could not {action}: MongoDB did not answer in time ({seen}{asked}); "
                            "check that the server in MONGODB_URI runs, then run this again")
