"""Look for a newer champion: in a process of its own, with a budget, one at a time per machine."""

import os
import subprocess
import sys
from datetime import UTC, datetime

import orjson

from model_serving.champion_copy import Attempt, ChampionFolder
from model_serving.settings import ServingSettings
from sentinel.logs import get_logger
from sentinel.settings import environment_of

COPY_OPTION = "--copy-champion"
SOONER_SECONDS = 10.0  # between attempts as long as no model is there at all
_running: set[subprocess.Popen[bytes]] = set()  # what this process started and still waits for


def start_copying(settings: ServingSettings) -> subprocess.Popen[bytes]:
    """Start the process that copies the champion; `finish_copying` waits for it.

    Where there is a Vault it gets no secrets from here, but logs in by itself: it sees what was rotated since.
    """
    safe_path = ["-P"] if sys.flags.safe_path else []
    half_budget = f"{settings.fetch_budget_seconds / 2:g}"  # the other half is for MLflow and the object store
    return subprocess.Popen(
        [sys.executable, *safe_path, "-m", "model_serving", COPY_OPTION, str(os.getpid())],
        env={**os.environ, **environment_of(settings), "SENTINEL_VAULT_BUDGET_SECONDS": half_budget},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )


def finish_copying(settings: ServingSettings, copying: subprocess.Popen[bytes]) -> Attempt:
    """Wait at most for the budget, keep and return what came of it."""
    _running.add(copying)
    try:
        output, _ = copying.communicate(timeout=settings.fetch_budget_seconds)
        attempt = Attempt(_now(), copying.returncode == 0, _last_words(output, copying.returncode))
    except subprocess.TimeoutExpired:
        attempt = Attempt(_now(), False, f"no answer from MLflow and the object store in "
                          f"{settings.fetch_budget_seconds:g} s; check that they run")
    finally:
        copying.kill()
        copying.communicate()
        _running.discard(copying)
    if not attempt.is_good:
        get_logger().warning("model_serving.refresh_failed", text=attempt.text)
    ChampionFolder(settings.champion_folder).save_attempt(attempt)
    return attempt


def stop_copying() -> None:
    """End what this process started; a worker does so before it ends itself."""
    for copying in _running:
        copying.kill()
        copying.wait()


def refresh(settings: ServingSettings) -> Attempt | None:
    """Look for a newer champion now; None where another process of this machine is at it."""
    with ChampionFolder(settings.champion_folder).locked() as is_ours:
        return finish_copying(settings, start_copying(settings)) if is_ours else None


def is_refresh_due(settings: ServingSettings, has_champion: bool) -> bool:
    """Tell whether the last attempt of any process of this machine is long enough ago."""
    attempt = ChampionFolder(settings.champion_folder).last_attempt()
    if attempt is None:
        return True
    age_seconds = (datetime.now(UTC) - datetime.fromisoformat(attempt.at)).total_seconds()
    wait_seconds = settings.refresh_seconds if has_champion else min(SOONER_SECONDS, settings.refresh_seconds)
    return not 0 <= age_seconds < wait_seconds


def must_look_first(settings: ServingSettings) -> bool:
    """Tell whether to ask MLflow before serving: without a copy, or where its file changed since it was last asked.

    Of a server it is not known; there the copy serves until the next look.
    """
    folder = ChampionFolder(settings.champion_folder)
    attempt, (kind, _, path) = folder.last_attempt(), settings.mlflow_tracking_uri.partition(":///")
    if folder.current_name() is None:
        return True
    if kind != "sqlite" or attempt is None or not os.path.exists(path):
        return False
    return not attempt.is_good or os.path.getmtime(path) > datetime.fromisoformat(attempt.at).timestamp()


def _last_words(output: bytes, code: int) -> str:
    lines = output.splitlines()
    for line in reversed(lines):
        try:
            event = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        if isinstance(event, dict) and ("text" in event or "copy" in event):
            return str(event.get("text") or event.get("copy"))
    seen = lines[-1].decode("utf-8", "replace")[:300] if lines else "nothing"
    return f"copying the champion ended with code {code}; the last it said: {seen}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
