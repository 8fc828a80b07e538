"""Build, push and list the four images; each tag is git's tree hash of what goes into the image.

    python -m delivery.images build [STAGE …]     build what this machine does not have yet
    python -m delivery.images push [STAGE …]      push them, and print what the registry calls them
    python -m delivery.images list [STAGE …]      name, tag, size and digest
    python -m delivery.images names [STAGE …]     the names alone

Images are made of what is committed, whatever else lies in the working tree.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from delivery.docker import Image, build_image, find_image, push_image
from delivery.image_tree import FOLDERS, REGISTRY, ROOT, ImageTree, find_image_tree, has_changes
from sentinel.errors import SentinelError

MEGABYTE = 1_000_000
PIP_VARIABLES = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL")  # handed on to the builder's stage, never to an image


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks for and return the exit code."""
    given = _parse(arguments)
    tasks: Mapping[str, Callable[[argparse.Namespace], int]] = {
        "build": build, "push": push, "list": list_images, "names": print_names}
    try:
        return tasks[given.task](given)
    except SentinelError as error:
        print(f"images: {error}", file=sys.stderr)
        return error.exit_code


def build(given: argparse.Namespace) -> int:
    """Build the images that this machine lacks, and those only."""
    sources = _sources(given)
    for source in sources:
        if has_changes(source.stage, given.repository):
            print(f"{source.stage}: changes that are not committed are not in the image", file=sys.stderr)
        name = _name(given, source)
        if find_image(name) is not None:
            print(f"{name} is there already")
            continue
        started = time.monotonic()
        build_image(given.repository, source, name, given.network, _build_arguments(given, source))
        print(f"{name} built in {time.monotonic() - started:.0f} s")
    _list(given, sources)
    return 0


def push(given: argparse.Namespace) -> int:
    """Push the images and print `stage tag digest` of each, as the manifests need it."""
    for source in _sources(given):
        print(source.stage, source.tree, push_image(_name(given, source)), flush=True)
    return 0


def list_images(given: argparse.Namespace) -> int:
    """Print name, tag, size and, once pushed, digest."""
    _list(given, _sources(given))
    return 0


def _list(given: argparse.Namespace, sources: Sequence[ImageTree]) -> None:
    print(f"{'stage':<17} {'tag':<41} {'size':>8}  digest")
    for source in sources:
        image = find_image(_name(given, source))
        print(f"{source.stage:<17} {source.tree:<41} {_size(image):>8}  {image.digest if image else ''}")


def print_names(given: argparse.Namespace) -> int:
    """Print the full name of each image."""
    for source in _sources(given):
        print(_name(given, source))
    return 0


def _sources(given: argparse.Namespace) -> list[ImageTree]:
    return [find_image_tree(stage, given.repository, given.revision, given.base) for stage in given.stages or FOLDERS]


def _name(given: argparse.Namespace, source: ImageTree) -> str:
    return f"{given.registry}/{source.stage}:{source.tree}"


def _size(image: Image | None) -> str:
    return "" if image is None else f"{image.size_bytes / MEGABYTE:,.0f} MB"


def _build_arguments(given: argparse.Namespace, source: ImageTree) -> dict[str, str]:
    arguments = {
        "SOURCE_DATE_EPOCH": str(int(source.committed_at.timestamp())), "CREATED": source.committed_at.isoformat(),
        "REVISION": source.revision, "SOURCE": given.source, "TREE": source.tree,
    }
    if given.base:
        arguments["BASE"] = given.base
    if given.torch_index and source.stage == "ml-training":
        arguments["TORCH_INDEX"] = given.torch_index
    return arguments | {name: os.environ[name] for name in PIP_VARIABLES if os.environ.get(name)}


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m delivery.images", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=("build", "push", "list", "names"))
    parser.add_argument("stages", nargs="*", metavar="STAGE", help=f"{', '.join(FOLDERS)} (all)")
    parser.add_argument("--registry", default=REGISTRY, help=f"where the images belong ({REGISTRY})")
    parser.add_argument("--revision", default="HEAD", help="commit to build (HEAD)")
    parser.add_argument("--repository", type=Path, default=ROOT, help="a checkout (this one)")
    parser.add_argument("--base", help="base image, best by digest; part of the tag where given")
    parser.add_argument("--network", default="default", help="network of the build's steps, such as host")
    parser.add_argument("--torch-index", help="index of another build of torch, such as PyTorch's for CPUs")
    parser.add_argument("--source", default="", help="address of the repository, for the label")
    given = parser.parse_args(arguments)
    for stage in given.stages:
        if stage not in FOLDERS:
            parser.error(f"no stage is named {stage!r}; give one of {', '.join(FOLDERS)}")
    return given


if __name__ == "__main__":
    sys.exit(main())
