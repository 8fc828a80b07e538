"""Read fields of JSON from outside: a value of the expected type, or a RecordError that names the field."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sentinel.errors import RecordError

MAX_NAME_CHARACTERS = 4_096  # Linux' longest path
MAX_COUNT = 2**53  # the largest whole number that every JSON reader keeps
EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
SHOWN_CHARACTERS = 60


def read_count(payload: Mapping[str, Any], field: str, default: int = 0) -> int:
    """Return a whole number from 0; `default` where it is null."""
    value = payload.get(field)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_COUNT:
        raise RecordError(f"{field}: seen {shown(value)}, expected a whole number from 0")
    return value


def read_mapping(payload: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    """Return an object; an empty one where it is null."""
    value = payload.get(field)
    if value is None:
        return {}
    if type(value) is not dict and not isinstance(value, Mapping):  # asking the abstract type costs more
        raise RecordError(f"{field}: seen {type(value).__name__}, expected an object or null")
    return value


def read_text(payload: Mapping[str, Any], field: str, longest: int = MAX_NAME_CHARACTERS) -> str | None:
    """Return text that UTF-8 can hold, cut to `longest` characters, or None."""
    value = payload.get(field)
    if value is None:
        return None
    if not isinstance(value, str):
        raise RecordError(f"{field}: seen {type(value).__name__}, expected text or null")
    return value if len(value) <= longest and value.isascii() else _without_lone_surrogates(value[:longest])


def read_one_of(payload: Mapping[str, Any], field: str, known: frozenset[str], default: str) -> Any:
    """Return a value of a closed list; GitHub adds to its lists, so an unknown one becomes the default."""
    value = read_text(payload, field)
    return value if value in known else default


def read_required_time(payload: Mapping[str, Any], field: str) -> datetime:
    """Return a time in UTC; null is an error."""
    time = read_time(payload, field)
    if time is None:
        raise RecordError(f"{field}: seen null, expected a time such as 2026-01-31T12:00:00Z")
    return time


def read_time(payload: Mapping[str, Any], field: str) -> datetime | None:
    """Read an ISO time; one without a zone is UTC."""
    value = payload.get(field)
    if value is None:
        return None
    try:
        time = datetime.fromisoformat(value)
        if time.tzinfo is not UTC:
            time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (TypeError, ValueError, OverflowError) as error:
        raise RecordError(f"{field}: seen {shown(value)}, expected a time such as 2026-01-31T12:00:00Z") from error
    if not EARLIEST <= time < LATEST:
        raise RecordError(f"{field}: seen {shown(value)}, expected a time from {EARLIEST:%Y} to {LATEST:%Y}")
    return time


def shown(value: Any) -> str:
    """Print a value from outside, short and on one line; of a container only its type."""
    if isinstance(value, str):
        return ascii(value if len(value) <= SHOWN_CHARACTERS else f"{value[:SHOWN_CHARACTERS]}...")
    return str(value) if value is None or isinstance(value, bool | int | float) else type(value).__name__


def _without_lone_surrogates(text: str) -> str:
    """Replace halves of surrogate pairs, which no UTF-8 store can keep."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
