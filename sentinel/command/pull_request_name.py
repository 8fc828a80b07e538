"""The name of a pull request as people write it."""

import re

from sentinel.errors import FixNeededError

NAME = re.compile(r"(?:https?://[^/]+/)?([^/\s#]+/[^/\s#]+?)(?:#|/pull/)(\d{1,18})(?:/.*)?")


def parse_pull_request_name(name: str) -> tuple[str, int]:
    """Return OWNER/NAME and the number, of OWNER/NAME#N or of the address of its page."""
    found = NAME.fullmatch(name.strip())
    if found is None:
        raise FixNeededError(f"cannot tell which pull request {name!r} is; expected OWNER/NAME#N, "
                             "for example apache/kafka#123")
    return found[1], int(found[2])
