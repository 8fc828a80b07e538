"""The errors of tasks, which reach the driver as the text of a traceback."""

import re

from sentinel import errors
from sentinel.errors import SentinelError

_OURS = re.compile(r"^\s*sentinel\.errors\.(\w+): (.+)$", re.MULTILINE)


class TaskError(SentinelError):
    """Carry what a task said before it failed; a bug."""


def to_our_error(text: str) -> SentinelError:
    """Return the error that a task raised, of its own type where it is one of ours, else a TaskError."""
    raised = _OURS.findall(text)
    if not raised:
        return TaskError(f"a Spark task failed:\n{text.strip()}")
    name, said = raised[-1]
    kind = getattr(errors, name, SentinelError)
    error: SentinelError = kind(said)
    return error


def first_line(text: str) -> str:
    """Return the first line that says something; py4j's own only says that something failed."""
    lines = (line.strip(" \t:") for line in text.splitlines())
    return next((line for line in lines if line and not line.startswith("An error occurred while calling")),
                "no reason given")
