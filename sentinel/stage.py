"""Run one stage as a process: logs, signals, and the exit code that tells what to do next."""

import signal
import sys
import time
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any

from sentinel.errors import SentinelError, UnavailableError
from sentinel.logs import configure_logs, get_logger

INTERRUPTED = 130  # what a shell reports for Ctrl-C
BUG = 1


def run_stage(stage: str, job: Callable[[], Mapping[str, Any]]) -> int:
    """Run `job`, log its facts in one closing line, and return the exit code of the process.

    SIGTERM becomes an UnavailableError inside the job: stopped, nothing wrong, run it again.
    """
    configure_logs(stage)
    signal.signal(signal.SIGTERM, _raise_stopped)
    started = time.monotonic()
    try:
        facts = job()
    except KeyboardInterrupt:
        get_logger().warning(f"{stage}.interrupted")
        return INTERRUPTED
    except SentinelError as error:
        get_logger().error(f"{stage}.failed", error=type(error).__name__, text=str(error), exit_code=error.exit_code)
        return error.exit_code
    except Exception as error:
        get_logger().exception(f"{stage}.crashed", error=type(error).__name__, exit_code=BUG)
        return BUG
    get_logger().info(f"{stage}.finished", **facts, seconds=round(time.monotonic() - started, 3))
    return 0


def exit_with(code: int) -> None:
    """End the process with `code` after the last log line is out."""
    sys.stdout.flush()
    sys.exit(code)


def _raise_stopped(number: int, frame: FrameType | None) -> None:
    raise UnavailableError("stopped by SIGTERM before the end; nothing half-written counts, run it again")
