"""Give the scorer a newer champion again and again under load, and count requests that fail.

    python benchmarks/serving_reload.py PULL_REQUESTS.jsonl.gz STATE [--requests N]

STATE is the folder of a `sentinel run --data STATE`; a new version of its own champion is registered there before
each `POST /model/reload`, so that every reload is a real one: MLflow, download, probe records, take-over. Needs `wrk`.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.request import Request, urlopen

import orjson
from mlflow import MlflowClient
from serving import find_pull_request, run_wrk

TOKEN, EVERY_SECONDS = "a-made-up-token", 4.0


def main() -> None:
    """Run the load until enough requests were made, and print what failed."""
    given = _parse()
    environment = {
        **os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{given.state / 'mlflow.db'}", "SENTINEL_API_TOKEN": TOKEN,
        "SENTINEL_OBJECT_STORE_URI": (given.state / "objects").as_uri(),
    }
    with tempfile.TemporaryDirectory() as folder:
        environment["SENTINEL_CHAMPION_FOLDER"] = folder
        scorer = subprocess.Popen([sys.executable, "-m", "model_serving", "--port", "0"], env=environment,
                                  stdout=subprocess.PIPE)
        try:
            measure(given, _address(scorer), MlflowClient(environment["MLFLOW_TRACKING_URI"]))
        finally:
            scorer.terminate()
            scorer.wait()


def measure(given: argparse.Namespace, address: str, client: MlflowClient) -> None:
    """Load and reload at once."""
    payload = orjson.dumps(find_pull_request(given.pull_requests))
    done, took_over = threading.Event(), []

    def reload() -> None:
        while not done.wait(EVERY_SECONDS):
            _register_again(client)
            request = Request(f"{address}/model/reload", b"", {"Authorization": f"Bearer {TOKEN}"})
            with urlopen(request, timeout=60) as answer:
                took_over.append(orjson.loads(answer.read())["registry_version"])

    reloader = threading.Thread(target=reload)
    reloader.start()
    total, failed, began = 0, [], time.monotonic()
    while total < given.requests:
        output = run_wrk(address, payload, 10, f"Bearer {TOKEN}")
        total += int(re.search(r"(\d+) requests in", output)[1])
        failed += re.findall(r"Socket errors:.*|Non-2xx.*", output)
    done.set()
    reloader.join()
    print(f"{total:,} requests in {time.monotonic() - began:.0f} s, {len(set(took_over))} newer champions "
          f"(versions {took_over}), failed: {failed or 0}, load average {os.getloadavg()[0]:.1f}")


def _register_again(client: MlflowClient) -> None:
    """Make the champion's model a new version and the champion."""
    [model] = client.search_registered_models()
    champion = client.get_model_version_by_alias(model.name, "champion")
    newer = client.create_model_version(model.name, champion.source, champion.run_id, tags=champion.tags)
    client.set_registered_model_alias(model.name, "champion", newer.version)


def _address(scorer: subprocess.Popen[bytes]) -> str:
    for line in scorer.stdout or ():
        event = orjson.loads(line)
        if event.get("event") == "model_serving.ready":
            threading.Thread(target=lambda: [None for _ in scorer.stdout or ()], daemon=True).start()
            return str(event["address"])
    raise SystemExit("the scorer did not start")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pull_requests")
    parser.add_argument("state", type=Path)
    parser.add_argument("--requests", type=int, default=20_000)
    return parser.parse_args()


if __name__ == "__main__":
    main()
