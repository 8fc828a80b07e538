"""One log line a request, written whole: the usual way through the logger costs as much as the model."""

import logging
import sys
from datetime import UTC, datetime

import orjson

EVENT = "model_serving.request"


class RequestLog:
    """Write lines of the same form as sentinel.logs, where that is set up to show them."""

    def __init__(self) -> None:
        """Look once whether anybody wants these lines."""
        self._is_wanted = logging.getLogger("sentinel").isEnabledFor(logging.INFO)

    def write(self, route: str, method: str, status: int, seconds: float, request_id: str) -> None:
        """Tell of one answered request."""
        if not self._is_wanted:
            return
        line = orjson.dumps({
            "route": route, "method": method, "status": status, "milliseconds": round(seconds * 1000, 3),
            "request_id": request_id, "event": EVENT, "stage": "model_serving", "level": "info",
            "timestamp": datetime.now(UTC),
        }, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z)
        sys.stdout.write(line.decode())
        sys.stdout.flush()
