"""Write the hashed lock of every image and of the delivery itself: `python -m delivery.locks`; needs uv.

Versions are those of requirements.lock; only what the stage asks for in pyproject.toml is in its lock.
checkov alone has versions of its own, which would not go with ours: delivery/checkov.in names it.
torch and its CUDA libraries are in a lock of their own, because a build without a GPU takes them from elsewhere.
"""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

from delivery.image_tree import ROOT
from sentinel.errors import FixNeededError, UnavailableError

LOCK, TORCH_LOCK, BUILD_LOCK = "requirements.lock", "requirements-torch.lock", "requirements-build.lock"
PLATFORM, PYTHON = "x86_64-manylinux_2_28", "3.11"  # of the images
UV_SECONDS = 300.0  # it needs seconds when the index answers
OF_TORCH = re.compile(r"torch|triton|nvidia-.*|cuda-.*")
# The groups of pyproject.toml that each image installs.
GROUPS = {
    "data_fetch": ("data-fetch",),
    "spark_preprocess": ("spark-preprocess",),
    "ml_training": ("ml-training",),
    "model_serving": ("model-serving", "load-test"),
}
# Locks of a single distribution and what it needs, at the versions of requirements.lock.
SINGLE = {
    f"spark_preprocess/{BUILD_LOCK}": "setuptools",  # pyspark is published as source only
    f"delivery/{LOCK}": "ruamel.yaml",  # what the programs need that hold a key (release.mk)
}
CHECKOV = "delivery/checkov.in"  # beside its lock


@dataclass(frozen=True)
class Pin:
    """One distribution of a lock."""

    name: str
    version: str
    text: str  # its lines, hashes included


def main() -> None:
    """Write all locks; the exit code is uv's where it fails."""
    try:
        for folder, groups in GROUPS.items():
            write_locks(folder, groups)
        for path, name in SINGLE.items():
            write_single_lock(path, name)
        write_checkov_lock()
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
    except FileNotFoundError:
        print("locks: the program uv is not installed; install it (pip install uv)", file=sys.stderr)
        sys.exit(FixNeededError.exit_code)
    except subprocess.TimeoutExpired:
        print(f"locks: uv did not resolve within {UV_SECONDS:.0f} s; run the same again when the index answers",
              file=sys.stderr)
        sys.exit(UnavailableError.exit_code)


def write_locks(folder: str, groups: tuple[str, ...]) -> None:
    """Write the locks of one stage."""
    asked = [part for group in groups for part in ("--extra", group)]
    pins = list(read_lock(compile_lock(*asked, str(ROOT / "pyproject.toml"))))
    of_torch = [pin for pin in pins if OF_TORCH.fullmatch(pin.name)]
    (ROOT / folder / LOCK).write_text("".join(pin.text for pin in pins if pin not in of_torch))
    if of_torch:
        (ROOT / folder / TORCH_LOCK).write_text("".join(pin.text for pin in of_torch))


def write_single_lock(path: str, name: str) -> None:
    """Write the lock of one distribution that something of ours needs outside of the images' environment."""
    with tempfile.NamedTemporaryFile("w", suffix=".in") as wanted:
        wanted.write(name)
        wanted.flush()
        (ROOT / path).write_text(compile_lock(wanted.name))


def write_checkov_lock() -> None:
    """Write checkov's lock, which keeps the versions it has where they still fit."""
    wanted = ROOT / CHECKOV
    resolve("--output-file", str(wanted.with_suffix(".lock")), str(wanted))


def compile_lock(*arguments: str) -> str:
    """Return what uv resolves within requirements.lock."""
    return resolve("--constraint", str(ROOT / LOCK), *arguments)


def resolve(*arguments: str) -> str:
    """Return what uv resolves for the images' platform, with hashes and without an index's address."""
    command = ["uv", "pip", "compile", "--quiet", "--generate-hashes", "--no-header", "--no-annotate",
               "--no-emit-index-url", "--python-version", PYTHON, "--python-platform", PLATFORM, *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=UV_SECONDS).stdout


def read_lock(text: str) -> Iterator[Pin]:
    """Yield the pins of a lock, of one line or of several."""
    for block in re.split(r"\n(?=\S)", text.strip("\n")):
        found = re.match(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^ ;\\\n]+)", block)
        if found:
            yield Pin(found[1], found[2], f"{block}\n")


if __name__ == "__main__":
    main()
