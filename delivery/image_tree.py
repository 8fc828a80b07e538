"""What goes into an image, named by git: the same files give the same tree, so the same tag."""

import os
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sentinel.errors import FixNeededError

ROOT = Path(__file__).parents[1]
REGISTRY = "registry.digitalocean.com/sentinel"  # as the manifests name the images
FOLDERS = {  # of each image, in the order of the data
    "data-fetch": "data_fetch", "spark-preprocess": "spark_preprocess", "ml-training": "ml_training",
    "model-serving": "model_serving",
}
SHARED = (".dockerignore", "sentinel")
LEFT_OUT = "sentinel/command/"  # as in .dockerignore
BASE_FILE = "base-image"  # stands in the tree for a base that is not the Dockerfile's own


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


def git(repository: Path, *arguments: str, given: str | None = None, variables: Mapping[str, str] | None = None) -> str:
    """Run git and return what it wrote; raises FixNeededError with its words where it fails."""
    done = subprocess.run(["git", "-C", str(repository), *arguments], input=given, capture_output=True, text=True,
                          env={**os.environ, **(variables or {})})
    if done.returncode:
        raise FixNeededError(f"git {arguments[0]} failed in {repository}: {done.stderr.strip()}")
    return done.stdout.strip()


def _write_tree(repository: Path, entries: list[str]) -> str:
    """Make a tree of `MODE blob NAME<tab>PATH` entries, by an index of its own."""
    with tempfile.TemporaryDirectory() as folder:
        variables = {"GIT_INDEX_FILE": str(Path(folder, "index"))}
        lines = "".join(f"{entry}\n" for entry in entries)
        git(repository, "update-index", "--index-info", given=lines, variables=variables)
        return git(repository, "write-tree", variables=variables)
