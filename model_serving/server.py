"""The gunicorn server: workers that hold slow clients, look for newer champions, and end cleanly."""

import gc
import logging
import os
import socket
import threading
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger
from gunicorn.workers.base import Worker
from prometheus_client import multiprocess

from model_serving.app import create_app
from model_serving.metrics import Metrics
from model_serving.refresh import is_refresh_due, refresh, stop_copying
from model_serving.scorer import Scorer
from model_serving.settings import ServingSettings
from model_serving.turns import Turns
from model_serving.worker import FairWorker
from sentinel.logs import get_logger

WORKER_CLASS = f"{FairWorker.__module__}.{FairWorker.__qualname__}"  # docs/decisions/scorer-worker-class.md
WATCH_SECONDS = 1.0
KEEPALIVE_SECONDS = 5  # also the time to send a request's head
HUNG_SECONDS = 60  # a worker that gives no sign of life for so long is replaced
BACKLOG = 2048


class Server(BaseApplication):
    """One scorer behind one listening socket."""

    def __init__(self, settings: ServingSettings, scorer: Scorer, listener: socket.socket, metrics_folder: str) -> None:
        """Serve `scorer`, which is loaded before the workers are forked, on a bound socket."""
        self._settings, self._scorer, self._listener = settings, scorer, listener
        self._metrics = Metrics(metrics_folder)
        self.turns = Turns()
        self._app = create_app(scorer, settings, self._metrics, self.turns)
        self._metrics_folder = Path(metrics_folder)
        super().__init__()

    def load_config(self) -> None:
        """Give gunicorn its settings; nothing is read from files or the environment."""
        for name, value in self._options().items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """Return the application, the same for all workers."""
        return self._app

    def run(self) -> None:
        """Serve until a signal; raises KeyboardInterrupt after Ctrl-C."""
        arbiter = _Arbiter(self)
        master = os.getpid()
        try:
            arbiter.run()
        except SystemExit as end:
            if os.getpid() != master:
                os._exit(int(end.code or 0))  # a worker's end must not run the master's clean-up
        if arbiter.was_interrupted:
            raise KeyboardInterrupt

    def _options(self) -> Mapping[str, Any]:
        settings = self._settings
        return {
            "bind": f"fd://{self._listener.detach()}",
            "workers": settings.workers,
            "worker_class": WORKER_CLASS,
            "worker_connections": settings.max_connections,
            "preload_app": True,
            "backlog": BACKLOG,
            "keepalive": KEEPALIVE_SECONDS,
            "timeout": max(HUNG_SECONDS, settings.graceful_seconds + 5),
            "graceful_timeout": settings.graceful_seconds,
            "control_socket_disable": True,
            "logger_class": _GunicornLogger,
            "when_ready": lambda arbiter: gc.freeze(),  # what is loaded stays shared by all workers
            "post_worker_init": self._begin_worker,
            "worker_exit": lambda arbiter, worker: stop_copying(),
            "child_exit": self._end_worker,
        }

    def _begin_worker(self, worker: Worker) -> None:
        """Open the model anew, which must not be shared across a fork, then watch for newer ones."""
        self._scorer.reopen_model()
        self._scorer.load_newer()
        is_first = worker.age == 1
        self._tell_ready(is_first)
        self._tell_age()
        threading.Thread(target=self._watch, args=(is_first, self._scorer.has_champion), daemon=True).start()

    def _watch(self, is_first: bool, is_told: bool) -> None:
        """Look for newer champions for ever; `is_told` says whether this worker has told that it is ready."""
        while True:
            time.sleep(WATCH_SECONDS)
            try:
                if is_refresh_due(self._settings, self._scorer.has_champion):
                    refresh(self._settings)
                self._scorer.load_newer()
                if self._scorer.has_champion and not is_told:  # a request may have been the first to load it
                    self._tell_ready(is_first)
                    is_told = True
                self._tell_age()
            except Exception as error:  # the watch outlives whatever goes wrong once
                get_logger().exception("model_serving.watch_failed", error=type(error).__name__)

    def _tell_ready(self, is_first: bool) -> None:
        self._metrics.is_ready.set(int(self._scorer.has_champion))
        if not is_first:
            return
        address = f"http://{_shown_host(self._settings.host)}:{self._settings.port}"
        if self._scorer.has_champion:
            get_logger().info("model_serving.ready", address=address, workers=self._settings.workers,
                              model_version=self._scorer.champion.model.version)
        else:
            get_logger().warning("model_serving.not_ready", address=address, text=self._scorer.why_none())

    def _tell_age(self) -> None:
        attempt = self._scorer.last_attempt()
        good_at = attempt.last_good_at if attempt else None
        self._metrics.tell_age(self._scorer.champion.trained_at if self._scorer.has_champion else None,
                               datetime.fromisoformat(good_at) if good_at else None)

    def _end_worker(self, arbiter: Arbiter, worker: Worker) -> None:
        multiprocess.mark_process_dead(worker.pid, str(self._metrics_folder))  # type: ignore[no-untyped-call]


class _Arbiter(Arbiter):
    """gunicorn's master, which remembers Ctrl-C."""

    was_interrupted = False

    def handle_int(self) -> None:
        """Stop at once."""
        self.was_interrupted = True
        super().handle_int()


class _GunicornLogger(Logger):
    """Pass gunicorn's own warnings on to our logs; our log line per request replaces its access log."""

    def setup(self, cfg: Any) -> None:
        """Leave the handlers to the root logger."""
        self.cfg = cfg
        self.error_log.handlers.clear()
        self.error_log.propagate = True
        self.error_log.setLevel(logging.WARNING)

    def access(self, *arguments: Any) -> None:
        """Say nothing."""


def _shown_host(host: str) -> str:
    return f"[{host}]" if ":" in host else "127.0.0.1" if host == "0.0.0.0" else host
