"""What goes into an image, named by git: the same files give the same tree, so the same tag."""

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sentinel.errors import FixNeededError, UnavailableError

ROOT = Path(__file__).parents[1]
REGISTRY = "registry.digitalocean.com/sentinel"  # as the manifests name the images
FOLDERS = {  # of each image, in the order of the data
    "data-fetch": "data_fetch", "spark-preprocess": "spark_preprocess", "ml-training": "ml_training",
    "model-serving": "model_serving",
}
SHARED = (".dockerignore", "sentinel")
LEFT_OUT = "sentinel/command/"  # as in .dockerignore
BASE_FILE = "base-image"  # stands in the tree for a base that is not the Dockerfile's own
LOCAL_SECONDS, TRANSFER_SECONDS = 60.0, 120.0  # of one command on this machine's disk, and of one over the network
CLEANING_SECONDS = 5.0  # git removes its lock files when it is asked to end


@dataclass(frozen=True)
class ImageTree:
    """The files of one image, as a commit has them."""

    stage: str
    tree: str  # git's name of all files together, 40 hex digits
    revision: str  # the last commit that changed one of them
    committed_at: datetime


def find_image_tree(stage: str, repository: Path = ROOT, revision: str = "HEAD", base: str | None = None) -> ImageTree:
    """Name the files that go into the image of `stage` at `revision`, and the base where one is given.

    The tree is an object of the repository: `git ls-tree -r TREE` lists it. Raises FixNeededError where
    the revision has no such image.
    """
    paths = [*SHARED, FOLDERS[stage]]
    listed = git(repository, "ls-tree", "-r", "--full-tree", revision, "--", *paths).splitlines()
    entries = [entry for entry in listed if not entry.partition("\t")[2].startswith(LEFT_OUT)]
    if not any(entry.endswith(f"\t{FOLDERS[stage]}/Dockerfile") for entry in entries):
        raise FixNeededError(f"cannot build {stage}: {revision} of {repository} has no {FOLDERS[stage]}/Dockerfile; "
                             "name a commit that has one")
    if base is not None:
        blob = git(repository, "hash-object", "-w", "--stdin", given=f"{base}\n")
        entries.append(f"100644 blob {blob}\t{BASE_FILE}")
    commit, _, seconds = git(repository, "log", "-1", "--format=%H %ct", revision, "--", *paths,
                             f":(exclude){LEFT_OUT}").partition(" ")
    return ImageTree(stage, _write_tree(repository, entries), commit, datetime.fromtimestamp(int(seconds), UTC))


def has_changes(stage: str, repository: Path = ROOT) -> bool:
    """Tell whether the working tree differs from HEAD in what goes into the image."""
    paths = [*SHARED, FOLDERS[stage], f":(exclude){LEFT_OUT}"]
    return bool(git(repository, "status", "--porcelain", "--", *paths))


def git(repository: Path, *arguments: str, given: str | None = None, variables: Mapping[str, str] | None = None,
        seconds: float = LOCAL_SECONDS) -> str:
    """Run git and return what it wrote.

    Raises FixNeededError with git's words where it fails, and UnavailableError where it takes longer than `seconds`.
    """
    command = ["git", "-C", str(repository), *arguments]
    try:
        # In a session of its own: no prompt can wait for a person, and what git started can be ended with it.
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True, env={**os.environ, **(variables or {})}, start_new_session=True)
    except FileNotFoundError as error:
        raise FixNeededError("the program git is not installed; install it (apt-get install git)") from error
    with process:
        try:
            wrote, said = process.communicate(given, timeout=seconds)
        except subprocess.TimeoutExpired as error:
            raise UnavailableError(
                f"git {arguments[0]} in {repository} was not done after {seconds:.0f} s and was ended; look whether "
                f"`git {arguments[0]}` by hand gets an answer, then run the same again") from error
        finally:
            _end_all(process)
    if process.returncode:
        raise FixNeededError(f"git {arguments[0]} failed in {repository}: {said.strip()}")
    return wrote.strip()


def _end_all(process: subprocess.Popen[str]) -> None:
    """End git where it still runs, and the programs that speak to the server for it, which outlive it otherwise."""
    if process.poll() is not None:
        return
    os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(CLEANING_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _write_tree(repository: Path, entries: list[str]) -> str:
    """Make a tree of `MODE blob NAME<tab>PATH` entries, by an index of its own."""
    with tempfile.TemporaryDirectory() as folder:
        variables = {"GIT_INDEX_FILE": str(Path(folder, "index"))}
        lines = "".join(f"{entry}\n" for entry in entries)
        git(repository, "update-index", "--index-info", given=lines, variables=variables)
        return git(repository, "write-tree", variables=variables)
