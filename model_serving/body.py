"""Read a request's body within limits of size, time, depth and form."""

import json
import math
import time
import zlib
from collections.abc import Iterator
from typing import Any

import orjson
from flask import Request
from gevent import Timeout
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from model_serving.problems import ProblemError

CHUNK_BYTES = 65_536
GZIP_WINDOW = 31  # zlib's sign for a gzip header and the largest window
JSON_TYPES = ("application/json",)
LINES_TYPES = ("application/x-ndjson", "application/jsonl", "application/ndjson", "application/json-lines")


def check_type(request: Request, allowed: tuple[str, ...]) -> str:
    """Return the body's media type; a 415 where it is none of `allowed`."""
    seen = request.mimetype
    if seen in allowed or (seen.startswith("application/") and seen.endswith("+json") and JSON_TYPES[0] in allowed):
        return seen
    raise ProblemError(415, "The body has another type", f"Content-Type: seen {ascii(seen)[:80]}, "
                       f"expected {' or '.join(allowed)}", "Content-Type")


def read_body(request: Request, max_bytes: int, seconds: float) -> bytes:
    """Read and unpack the body; a 413 where it is too large, a 408 where it comes too slowly."""
    return b"".join(read_chunks(request, max_bytes, seconds))


def read_chunks(request: Request, max_bytes: int, seconds: float) -> Iterator[bytes]:
    """Yield the unpacked body piece by piece; the limits hold for all of it together."""
    request.max_content_length = max_bytes
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip"):
        raise ProblemError(415, "The body is packed in another way",
                           f"Content-Encoding: seen {ascii(encoding)[:40]}, expected gzip or none", "Content-Encoding")
    pieces = _received(request, seconds)
    yield from (_unpacked(pieces, max_bytes) if encoding == "gzip" else pieces)


def parse_json(body: bytes) -> Any:
    """Read JSON, strictly: no NaN, no lone surrogates, no key twice, not nested deeper than 250 levels."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _no_json(f"{error.msg} at character {error.pos}") from None
    try:
        # A key that stands twice is lost when read, and its quotes with it.
        is_whole = b"\\u00" not in body and orjson.dumps(document).count(b'"') == body.count(b'"')
    except (orjson.JSONEncodeError, RecursionError):
        raise _no_json("nested deeper than 250 levels") from None
    return document if is_whole else _reject_double_keys(document, body)


def _received(request: Request, seconds: float) -> Iterator[bytes]:
    """Yield what arrives; only the time spent waiting for the client counts."""
    left, missing = seconds, request.content_length or math.inf  # chunked bodies do not tell their length
    while missing > 0:
        started = time.monotonic()
        waiting = Timeout.start_new(left)
        try:
            piece = request.stream.read(CHUNK_BYTES)
        except Timeout as late:
            if late is not waiting:
                raise
            raise _too_slow(seconds) from None
        except RequestEntityTooLarge:
            raise too_large(request.max_content_length or 0) from None
        except ClientDisconnected:
            raise ProblemError(400, "The body is cut short", "body: the client closed early", "body") from None
        finally:
            waiting.close()
        if not piece:
            return
        yield piece
        left = max(0.001, left - (time.monotonic() - started))
        missing -= len(piece)


def _too_slow(seconds: float) -> ProblemError:
    return ProblemError(408, "The body came too slowly", f"body: not complete after {seconds:.3g} s of waiting; "
                        "send it again", "body")


def _unpacked(pieces: Iterator[bytes], max_bytes: int) -> Iterator[bytes]:
    """Unpack gzip without ever holding more than one piece beyond the limit."""
    unpacker, room = zlib.decompressobj(GZIP_WINDOW), max_bytes
    try:
        for piece in pieces:
            while piece:
                unpacked = unpacker.decompress(piece, CHUNK_BYTES)
                room -= len(unpacked)
                if room < 0:
                    raise too_large(max_bytes)
                yield unpacked
                piece = unpacker.unconsumed_tail
    except zlib.error as error:
        raise ProblemError(400, "The body is no gzip", f"body: {error}", "body") from None
    if not unpacker.eof:
        raise ProblemError(400, "The body is cut short", "body: the gzip stream has no end", "body")


def too_large(max_bytes: int) -> ProblemError:
    """Name the limit that a body broke."""
    return ProblemError(413, "The body is too large", f"body: seen more than {max_bytes} bytes, "
                        "expected less; leave patches out or send fewer at once", "body")


def _no_json(seen: str) -> ProblemError:
    return ProblemError(400, "The body is no JSON", f"body: {seen}", "body")


def _reject_double_keys(document: Any, body: bytes) -> Any:
    def checked(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise ProblemError(400, "A key stands twice", f"{ascii(twice)[1:-1][:80]}: the key stands twice in one "
                               "object, expected once", twice[:80].encode("utf-8", "replace").decode())
        return members

    json.loads(body, object_pairs_hook=checked)
    return document
