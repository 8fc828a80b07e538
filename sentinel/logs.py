"""JSON lines on standard output: a dotted event, and the facts as fields."""

import logging
import sys
import time

import orjson
import structlog

PROGRESS_EVERY_SECONDS = 0.2


def configure_logs(stage: str, level: int = logging.INFO) -> None:
    """Send our events and those of the libraries to standard output, one JSON object a line."""
    shared = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(serializer=_to_json),
        ],
    ))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("sentinel").setLevel(level)
    logging.captureWarnings(True)
    structlog.contextvars.bind_contextvars(stage=stage)


def get_logger() -> structlog.stdlib.BoundLogger:
    """Return the logger of all our events."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("sentinel")
    return logger


class Progress:
    """Tell how far a stage came, at most five times a second, as `STAGE.progress` events.

    `rate` is what was done per second so far; `seconds_left` is null while the total is unknown.
    """

    def __init__(self, stage: str, unit: str, total: int | None = None) -> None:
        """Begin at 0 of `total`; None where the total is unknown."""
        self.total = total
        self.done = 0
        self._event = f"{stage}.progress"
        self._unit = unit
        self._began_at = time.monotonic()
        self._told_at = 0.0

    def advance(self, count: int = 1) -> None:
        """Add `count` to what is done."""
        self.done += count
        now = time.monotonic()
        if now - self._told_at >= PROGRESS_EVERY_SECONDS:
            self._told_at = now
            rate = self.done / max(now - self._began_at, 1e-3)
            left = None if self.total is None or not rate else round(max(0, self.total - self.done) / rate, 1)
            get_logger().info(self._event, done=self.done, total=self.total, unit=self._unit, rate=round(rate, 1),
                              seconds_left=left)


def _to_json(event: object, **_: object) -> str:
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
