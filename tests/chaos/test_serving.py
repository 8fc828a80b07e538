"""The scorer under more load than it can take, with slow clients, without MLflow, and while models change."""

import os
import shutil
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from statistics import quantiles
from urllib.request import Request, urlopen

import orjson
import pytest
from pydantic import SecretStr

from ml_training.registry import CHAMPION, Registry
from model_serving.champion_copy import LAST_ATTEMPT, MODEL
from model_serving.settings import ServingSettings
from tests.chaos.processes import wait_until
from tests.model_serving.conftest import TOKEN, scorer, settings  # noqa: F401  a copied model, made once
from tests.model_serving.made_up_harbour import pull_request_json
from tests.model_serving.running_scorer import RunningScorer
from tests.model_serving.test_champion import register

pytestmark = [pytest.mark.chaos, pytest.mark.filterwarnings("ignore::DeprecationWarning")]
N_SLOW, N_REQUESTS, N_STEADY, N_RELOADS = 256, 20_000, 4, 8
BODY = orjson.dumps(pull_request_json())
HEADERS = {"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"}
OVERLOAD_SECONDS, HEAVY_CLIENTS, HEAVY_ROWS = 20.0, 40, 400
N_FIRST_ROUNDS = 20
FIRST_REQUESTS = (("/score", pull_request_json()), ("/readyz", None), ("/model", None), ("/ranking", None))
N_USUAL_CLIENTS, FLOOD_TIMES, USUAL_SECONDS = 40, 10, 5.0
HEAVY = orjson.dumps([pull_request_json(number) for number in range(900, 900 + HEAVY_ROWS)])


@pytest.fixture
def run_scorer(settings: ServingSettings, tmp_path: Path) -> Iterator[Callable[..., RunningScorer]]:  # noqa: F811
    """Return what starts a scorer with a copy of the champion and settings of its own."""
    started: list[RunningScorer] = []

    def run(**changes: object) -> RunningScorer:
        own = tmp_path / "champion"
        if "champion_folder" not in changes:
            shutil.copytree(settings.champion_folder, own, ignore=shutil.ignore_patterns(LAST_ATTEMPT))
        changed = {"mlflow_tracking_uri": "http://127.0.0.1:9", "champion_folder": own, **changes}
        started.append(RunningScorer(settings.model_copy(update=changed), tmp_path))
        return started[-1]

    yield run
    for one in started:
        one.kill()


class Client:
    """Asks for one answer after the other over one connection, and counts."""

    def __init__(self, address: str, path: str = "/score", body: bytes = BODY) -> None:
        self.statuses = Counter[int | str]()
        self.seconds: list[float] = []  # of answers 200
        self.retry_after: set[str | None] = set()  # of answers 503
        self.versions = Counter[str]()
        self._host, self._path, self._body = address.removeprefix("http://"), path, body
        self._connection = HTTPConnection(self._host, timeout=60)

    def ask(self) -> None:
        began = time.monotonic()
        try:
            self._connection.request("POST", self._path, self._body, HEADERS)
            answer = self._connection.getresponse()
            content = answer.read()
        except (OSError, HTTPException) as error:
            self.statuses[type(error).__name__] += 1
            self._connection.close()
            return
        self.statuses[answer.status] += 1
        if answer.status == 200:
            self.seconds.append(time.monotonic() - began)
            if self._path == "/score":
                self.versions[orjson.loads(content)["model_version"]] += 1
        elif answer.status == 503:
            self.retry_after.add(answer.headers["Retry-After"])

    def ask_until(self, done: Callable[[], bool]) -> None:
        while not done():
            self.ask()
        self.close()

    def close(self) -> None:
        self._connection.close()


@contextmanager
def asking(clients: list[Client], done: Callable[[], bool]) -> Iterator[None]:
    """Let all clients ask at once, until `done`."""
    threads = [threading.Thread(target=client.ask_until, args=(done,)) for client in clients]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for thread in threads:
            thread.join()


def p(seconds: list[float], percent: int) -> float:
    """Return a percentile in milliseconds."""
    return round(1_000 * quantiles(seconds, n=100)[percent - 1], 1)


def measure(address: str, n_requests: int = 400) -> Client:
    client = Client(address)
    for _ in range(n_requests):
        client.ask()
    client.close()
    return client


def ask_together(clients: list[Client], seconds: float) -> Client:
    """Let all clients ask at once for so long, each again as soon as it is answered; return what they saw together."""
    end = time.monotonic() + seconds
    with asking(clients, lambda: time.monotonic() > end):
        pass
    for client in clients[1:]:
        clients[0].statuses += client.statuses
        clients[0].seconds += client.seconds
        clients[0].retry_after |= client.retry_after
    return clients[0]


def wait_until_quick(address: str, before: Client) -> float:
    """Return the seconds until one client is answered about as fast as `before`."""
    began = time.monotonic()
    wait_until(lambda: p(measure(address, 50).seconds or [60.0, 60.0], 95) < 2 * p(before.seconds, 95) + 20, 60)
    return time.monotonic() - began


def test_far_too_much_load_is_turned_away_early_and_passes(run_scorer, seen):
    running = run_scorer(api_token=SecretStr(TOKEN), max_wait_seconds=0.25)
    address = running.address
    before = measure(address)
    heavy = ask_together([Client(address, "/score/batch", HEAVY) for _ in range(HEAVY_CLIENTS)], OVERLOAD_SECONDS)
    recovered = wait_until_quick(address, before)
    after = measure(address)

    seen(answers=dict(heavy.statuses), retry_after=sorted(map(str, heavy.retry_after)),
         accepted_p99_ms=p(heavy.seconds, 99), seconds=round(recovered, 1),
         p95_ms_before_and_after=[p(before.seconds, 95), p(after.seconds, 95)])
    assert {200, 503} == set(heavy.statuses) and None not in heavy.retry_after
    assert {200: 400} == after.statuses
    assert running.process.poll() is None and recovered < 20


def test_flood_of_single_requests_is_answered_in_part_and_passes(run_scorer, seen):
    running = run_scorer(api_token=SecretStr(TOKEN), max_wait_seconds=0.25)
    address = running.address
    before = measure(address)
    usual = ask_together([Client(address) for _ in range(N_USUAL_CLIENTS)], USUAL_SECONDS)
    flooded = ask_together([Client(address) for _ in range(N_USUAL_CLIENTS * FLOOD_TIMES)], OVERLOAD_SECONDS)
    recovered = wait_until_quick(address, before)

    goodput = flooded.statuses[200] / OVERLOAD_SECONDS / (usual.statuses[200] / USUAL_SECONDS)
    seen(answers=dict(flooded.statuses), answered_of_what_is_possible=round(goodput, 2),
         accepted_p99_ms_before_and_during=[p(usual.seconds, 99), p(flooded.seconds, 99)],
         retry_after=sorted(map(str, flooded.retry_after)), seconds=round(recovered, 1))
    assert {200, 503} == set(flooded.statuses) and None not in flooded.retry_after
    assert goodput > 0.1
    assert running.process.poll() is None and recovered < 20


def test_256_slow_clients_hold_up_nobody(run_scorer, seen):
    address = run_scorer(api_token=SecretStr(TOKEN), body_seconds=60).address
    before = measure(address)
    port = int(address.rpartition(":")[2])
    slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(N_SLOW)]
    for one in slow:
        one.sendall(b"POST /score HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nAuthorization: Bearer "
                    + TOKEN.encode() + b"\r\nContent-Length: 900\r\n\r\n{")
    during = measure(address)
    for one in slow:
        one.sendall(b" ")  # the connections are open still
        one.close()

    seen(slow=N_SLOW, failed=during.statuses.total() - during.statuses[200], requests=during.statuses.total(),
         p95_ms_before_and_during=[p(before.seconds, 95), p(during.seconds, 95)])
    assert {200: 400} == during.statuses
    assert p(during.seconds, 95) < 2 * p(before.seconds, 95) + 20


def test_new_champions_under_load_fail_no_request(run_scorer, settings, scorer, tmp_path, seen):  # noqa: F811
    own = settings.model_copy(update={"mlflow_tracking_uri": f"sqlite:///{tmp_path / 'mlflow.db'}"})
    content = scorer.folder.read(scorer.champion.facts, MODEL)
    register(own.model_copy(update={"champion_folder": tmp_path / "unused" / "champion"}), content)
    running = run_scorer(api_token=SecretStr(TOKEN), mlflow_tracking_uri=own.mlflow_tracking_uri)
    address, registry, took_over = running.address, Registry(own), []
    clients = [Client(address) for _ in range(N_STEADY)]
    with asking(clients, lambda: sum(client.statuses.total() for client in clients) >= N_REQUESTS):
        for _ in range(N_RELOADS):
            newest = registry.versions()[0]
            registry.set_alias(CHAMPION, registry.register(newest.run_id, {}).number)
            with urlopen(Request(f"{address}/model/reload", b"", HEADERS), timeout=60) as answer:
                took_over.append(orjson.loads(answer.read())["registry_version"])
            time.sleep(1)

    statuses = sum((client.statuses for client in clients), Counter())
    seen(requests=statuses.total(), failed=statuses.total() - statuses[200], newer_champions=len(set(took_over)))
    assert {200} == set(statuses) and statuses.total() >= N_REQUESTS
    assert N_RELOADS == len(set(took_over))


def test_worker_killed_under_load_is_replaced(run_scorer, seen):
    running = run_scorer(api_token=SecretStr(TOKEN))
    address, before = running.address, running.workers()
    end = time.monotonic() + 10
    clients = [Client(address) for _ in range(N_STEADY)]
    with asking(clients, lambda: time.monotonic() > end):
        time.sleep(2)
        os.kill(min(before), signal.SIGKILL)
        replaced = wait_until(lambda: len(running.workers() - before) == 1)

    statuses = sum((client.statuses for client in clients), Counter())
    seen(requests=statuses.total(), broken_connections=statuses.total() - statuses[200], seconds=round(replaced, 1))
    assert statuses.total() - statuses[200] <= N_STEADY  # what the killed worker had in hand
    assert 2 == len(running.workers())


@pytest.mark.parametrize("trouble", ["refuses", "silent"])
def test_scorer_started_without_mlflow_is_ready_once_it_is_back(trouble, run_scorer, settings, scorer,  # noqa: F811
                                                                mlflow, proxy, tmp_path, seen):
    network = proxy(mlflow.port)
    network.refuse() if trouble == "refuses" else setattr(network, "is_silent", True)
    name = f"late-{trouble}"
    direct = settings.model_copy(update={"mlflow_tracking_uri": f"http://127.0.0.1:{mlflow.port}", "model_name": name,
                                         "champion_folder": tmp_path / "unused" / "champion"})
    register(direct, scorer.folder.read(scorer.champion.facts, MODEL))
    running = run_scorer(mlflow_tracking_uri=f"http://127.0.0.1:{network.port}", model_name=name,
                         champion_folder=tmp_path / "empty", fetch_budget_seconds=8, refresh_seconds=2)
    running.wait_for("model_serving.not_ready")
    network.accept() if trouble == "refuses" else setattr(network, "is_silent", False)
    began = time.monotonic()
    running.wait_for("model_serving.ready")

    seconds = time.monotonic() - began
    statuses = Counter(running.ask(path, body)[0] for _ in range(N_FIRST_ROUNDS) for path, body in FIRST_REQUESTS)

    seen(seconds=round(seconds, 1), requests=statuses.total(), failed=statuses.total() - statuses[200])
    assert {200} == set(statuses)  # of both workers: each request is a connection of its own
    assert seconds < 40


def test_truncated_model_is_never_ready_until_it_is_whole(run_scorer, settings, scorer, mlflow,  # noqa: F811
                                                          tmp_path, seen):
    content = scorer.folder.read(scorer.champion.facts, MODEL)
    uri = f"http://127.0.0.1:{mlflow.port}"
    direct = settings.model_copy(update={"mlflow_tracking_uri": uri, "model_name": "truncated",
                                         "champion_folder": tmp_path / "unused" / "champion"})
    register(direct, content[:len(content) // 2])
    running = run_scorer(mlflow_tracking_uri=uri, model_name="truncated", champion_folder=tmp_path / "empty",
                         refresh_seconds=2)
    address = str(running.wait_for("model_serving.not_ready")["address"])
    client = measure(address, 20)
    register(direct.model_copy(update={"champion_folder": tmp_path / "whole" / "champion"}), content)
    running.wait_for("model_serving.ready")

    seen(predictions_of_the_truncated=client.statuses[200], answers=dict(client.statuses), then="ready")
    assert {503: 20} == client.statuses
    assert 200 == running.ask("/score", pull_request_json())[0]
