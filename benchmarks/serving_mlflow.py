"""Measure the scorer beside `mlflow models serve` of the same model.

    python benchmarks/serving_mlflow.py PULL_REQUESTS.jsonl.gz CHAMPION_FOLDER [--seconds N]

MLflow cannot serve the registered model as it is: it is a bare ONNX graph without MLflow's Python function. So the
graph is wrapped in the smallest such function, with one onnxruntime thread, two workers and MLflow's other defaults.
MLflow gets one row of numbers, the scorer a pull request of 30 files that it has to read and explain first.
"""

import argparse
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import numpy as np
import onnxruntime
import orjson
from serving import OURS, ask, find_pull_request, run_wrk, running, wait_until

from model_serving.champion_copy import MODEL, ChampionFolder
from sentinel.model import INPUT, OUTPUTS


class Wrapped(mlflow.pyfunc.PythonModel):
    """The graph as a Python function."""

    def load_context(self, context: Any) -> None:
        """Open the graph."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(context.artifacts["graph"], options)

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]  # MLflow would read types
        """Return the scores of rows."""
        rows = np.asarray(model_input, dtype=np.float64)
        return self.session.run(OUTPUTS[:1], {INPUT: rows})[0]


def main() -> None:
    """Alternate rounds of both, and print the ratio."""
    given = _parse()
    payload = orjson.dumps(find_pull_request(given.pull_requests))
    folder = ChampionFolder(given.champion)
    facts = folder.facts()
    row = orjson.dumps({"inputs": [[0.5] * len(facts.feature_names)]})
    with tempfile.TemporaryDirectory() as scratch, warnings.catch_warnings(action="ignore"):
        mlflow.pyfunc.save_model(f"{scratch}/wrapped", python_model=Wrapped(), pip_requirements=[],
                                 artifacts={"graph": str(folder.folder / facts.name / MODEL)})
        with served(f"{scratch}/wrapped", row) as address, running(given, "score", OURS, payload) as scorer:
            for _ in range(given.rounds):
                theirs, ours = (_load(address, row, given.seconds, "/invocations"),
                                _load(scorer.address, payload, given.seconds, "/score"))
                print(f"mlflow models serve {theirs:,.0f} requests/s, scorer {ours:,.0f} requests/s: "
                      f"{ours / theirs:.1f} times, load average {os.getloadavg()[0]:.1f}")


@contextmanager
def served(model: str, row: bytes) -> Iterator[str]:
    """Yield the address of `mlflow models serve`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", model, "--env-manager", "local", "--port",
         str(port), "--workers", "2"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]),
             "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"})  # it starts uvicorn by name
    address = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: ask(address, "/invocations", row, "application/json"))
        yield address
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def _load(address: str, payload: bytes, seconds: int, path: str) -> float:
    output = run_wrk(address, payload, seconds, path=path)
    failed = sum(map(int, re.findall(r"Non-2xx or 3xx responses: (\d+)", output)))
    return (int(re.search(r"(\d+) requests in", output)[1]) - failed) / seconds


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pull_requests")
    parser.add_argument("champion", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5)
    return parser.parse_args()


if __name__ == "__main__":
    main()
