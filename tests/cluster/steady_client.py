"""A client that asks the scorer again and again, each time by a new connection, and counts what failed."""

import http.client
import threading
import time
from collections import Counter
from urllib.parse import urlsplit

import orjson

REQUEST_SECONDS = 10.0
KEPT_FAILURES = 20


class SteadyClient:
    """Requests at an even pace in threads of their own, until told to stop."""

    def __init__(self, url: str, body: bytes, token: str, requests_per_second: float, n_threads: int = 4) -> None:
        """Ask `url` for the score of the pull request in `body`."""
        self._url, self._body = urlsplit(url), body
        self._headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        self._pause = n_threads / requests_per_second
        self._stopping, self._lock = threading.Event(), threading.Lock()
        self._threads = [threading.Thread(target=self._ask_on, args=(number / n_threads,), daemon=True)
                         for number in range(n_threads)]
        self.n_requests, self.slowest_seconds = 0, 0.0
        self.failures: list[str] = []
        self.n_failures = 0
        self.answers_by_version: Counter[str] = Counter()

    def start(self) -> None:
        """Begin to ask."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End after the requests that are on their way."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(2 * REQUEST_SECONDS)

    def summary(self) -> str:
        """Say in one line what was seen."""
        return (f"{self.n_requests:,} requests, {self.n_failures} failed, slowest {self.slowest_seconds:.3f} s, "
                f"answers by model version {dict(self.answers_by_version)}")

    def _ask_on(self, phase: float) -> None:
        due = time.monotonic() + phase * self._pause
        while not self._stopping.wait(max(0.0, due - time.monotonic())):
            due = max(due + self._pause, time.monotonic() - self._pause)
            self._ask()

    def _ask(self) -> None:
        started = time.monotonic()
        failure, version = None, ""
        try:
            version = self._post()
        except (OSError, http.client.HTTPException, AssertionError, ValueError, KeyError) as error:
            failure = f"{time.strftime('%H:%M:%S')} {type(error).__name__}: {error}"
        with self._lock:
            self.n_requests += 1
            self.slowest_seconds = max(self.slowest_seconds, time.monotonic() - started)
            if failure is None:
                self.answers_by_version[version] += 1
            else:
                self.n_failures += 1
                self.failures = [*self.failures, failure][:KEPT_FAILURES]

    def _post(self) -> str:
        connection = http.client.HTTPConnection(self._url.hostname or "", self._url.port, timeout=REQUEST_SECONDS)
        try:
            connection.request("POST", self._url.path, self._body, self._headers)
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != 200:
                raise AssertionError(f"status {answer.status}: {body[:200]!r}")
            return str(orjson.loads(body)["model_version"])
        finally:
            connection.close()
