"""How far a stage came, folded from the JSON lines that it prints."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

import orjson

BOOKKEEPING = frozenset({"event", "level", "timestamp", "stage", "seconds", "logger"})


class State(Enum):
    """Where a stage stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class StageStatus:
    """What is known of one stage."""

    name: str
    state: State = State.WAITING
    done: int = 0
    total: int | None = None
    unit: str = ""
    seconds: float = 0.0
    facts: Mapping[str, Any] = field(default_factory=dict)  # of the closing line
    failure: str = ""  # the stage's own words


def parse_event(line: bytes) -> Mapping[str, Any]:
    """Read one log line; whatever is no JSON object is no event, and empty."""
    try:
        event = orjson.loads(line)
    except orjson.JSONDecodeError:
        return {}
    return event if isinstance(event, dict) else {}


def with_event(status: StageStatus, event: Mapping[str, Any]) -> StageStatus:
    """Return the status after `event`; events that say nothing about the status change nothing."""
    name = event.get("event")
    if name == f"{status.name}.progress":
        return replace(status, done=_count(event, "done") or 0, total=_count(event, "total"),
                       unit=str(event.get("unit") or ""))
    if name == f"{status.name}.finished":
        return replace(status, facts={key: value for key, value in event.items() if key not in BOOKKEEPING})
    if name == f"{status.name}.failed":
        return replace(status, failure=str(event.get("text") or ""))
    if name == f"{status.name}.crashed":
        return replace(status, failure=f"a bug: {_last_line(event)}")
    return status


def _count(event: Mapping[str, Any], field_name: str) -> int | None:
    value = event.get(field_name)
    return value if isinstance(value, int) and value >= 0 else None


def _last_line(event: Mapping[str, Any]) -> str:
    text = str(event.get("exception") or event.get("error") or "").strip()
    return text.splitlines()[-1] if text else "it says nothing about it"
