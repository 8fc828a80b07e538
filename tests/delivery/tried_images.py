"""Start images as a cluster with the Pod Security profile *restricted* does, by the client of Docker."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from delivery.image_tree import FOLDERS, ROOT
from delivery.locks import LOCK, TORCH_LOCK, read_lock

# Full names, as `make test-images` hands them in, by stage.
IMAGES = {name.rpartition("/")[2].partition(":")[0]: name for name in os.environ.get("SENTINEL_IMAGES", "").split()}
# The limits of argo-apps/base.
MEMORY = {"data-fetch": "512m", "spark-preprocess": "3g", "ml-training": "4g", "model-serving": "1g"}
TMP = {"data-fetch": "256m", "spark-preprocess": "1g", "ml-training": "1g", "model-serving": "128m"}
PYTHON = "/opt/venv/bin/python"
JOB_SECONDS, PATIENCE_SECONDS, GRACE_SECONDS = 600.0, 240.0, 30


@dataclass(frozen=True)
class Ended:
    """How a process ended."""

    code: int
    output: str

    @property
    def events(self) -> list[dict[str, Any]]:
        """Return the lines of the log."""
        return [json.loads(line) for line in self.output.splitlines() if line.startswith('{"')]

    @property
    def last(self) -> dict[str, Any]:
        """Return the closing line of the log."""
        return self.events[-1]


def restricted(stage: str, name: str, environment: Mapping[str, str]) -> list[str]:
    """Return the options that leave a container nothing but its memory and /tmp; the network is this machine's."""
    given = [part for key, value in environment.items() for part in ("--env", f"{key}={value}")]
    return ["--name", name, "--network", "host", "--read-only", "--user", "10001:10001", "--cap-drop", "ALL",
            "--security-opt", "no-new-privileges", "--memory", MEMORY[stage], "--memory-swap", MEMORY[stage],
            "--pids-limit", "512", "--tmpfs", f"/tmp:rw,noexec,nosuid,nodev,mode=1777,size={TMP[stage]}", *given]


def run_image(stage: str, environment: Mapping[str, str], *arguments: str, python: str = "") -> Ended:
    """Run the image until it ends; `python` is code to run in the place of the stage."""
    name = f"sentinel-{uuid4().hex[:12]}"
    entry = ["--entrypoint", PYTHON, IMAGES[stage], "-c", python] if python else [IMAGES[stage], *arguments]
    try:
        done = subprocess.run(["docker", "run", "--rm", *restricted(stage, name, environment), *entry],
                              capture_output=True, text=True, timeout=JOB_SECONDS)
    except subprocess.TimeoutExpired:
        docker("rm", "--force", name)
        raise
    return Ended(done.returncode, done.stdout + done.stderr)


def run_stage(stage: str, environment: Mapping[str, str], *arguments: str) -> Ended:
    """Run the image of a stage, or its module here where no image of it is tried."""
    if stage in IMAGES:
        return run_image(stage, environment, *arguments)
    done = subprocess.run([sys.executable, "-m", FOLDERS[stage], *arguments], cwd=ROOT, timeout=JOB_SECONDS,
                          env={**os.environ, **environment}, capture_output=True, text=True)
    return Ended(done.returncode, done.stdout + done.stderr)


@dataclass(frozen=True)
class Running:
    """A container that runs beside the test."""

    name: str

    def output(self) -> str:
        """Return what it wrote so far."""
        done = subprocess.run(["docker", "logs", self.name], capture_output=True, text=True)
        return done.stdout + done.stderr

    def wait_for(self, event: str) -> dict[str, Any]:
        """Return the first line of the log with that event."""
        def find() -> dict[str, Any] | None:
            return next((line for line in Ended(0, self.output()).events if line["event"] == event), None)

        return wait_until(find, self.output)

    def stop(self) -> Ended:
        """Send SIGTERM; return how it ended, which is 137 where it did not within the grace."""
        docker("stop", "--time", str(GRACE_SECONDS), self.name)
        return Ended(int(docker("inspect", "--format", "{{.State.ExitCode}}", self.name)), self.output())


@contextmanager
def running_image(stage: str, environment: Mapping[str, str]) -> Iterator[Running]:
    """Start the image; at the end it is gone."""
    name = f"sentinel-{uuid4().hex[:12]}"
    docker("run", "--detach", "--log-driver", "json-file", *restricted(stage, name, environment), IMAGES[stage])
    try:
        yield Running(name)
    finally:
        docker("rm", "--force", "--volumes", name)


def wait_until(ask: Callable[[], Any], explain: Callable[[], str]) -> Any:
    """Ask until there is an answer, and return it."""
    patience = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < patience:
        answer = ask()
        if answer:
            return answer
        time.sleep(0.1)
    raise AssertionError(f"nothing within {PATIENCE_SECONDS} s: {explain()[-2000:]}")


def docker(*arguments: str) -> str:
    """Run the client and return what it wrote."""
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True).stdout.strip()


def inspect(stage: str) -> Mapping[str, Any]:
    """Return what Docker knows of the image."""
    [facts] = json.loads(docker("image", "inspect", IMAGES[stage]))
    return facts


def pinned(stage: str) -> dict[str, str]:
    """Return the versions in the locks of a stage."""
    locks = [ROOT / FOLDERS[stage] / name for name in (LOCK, TORCH_LOCK)]
    return {pin.name: pin.version for lock in locks if lock.exists() for pin in read_lock(lock.read_text())}
