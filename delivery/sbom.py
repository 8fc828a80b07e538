"""Say what is in each image: `python -m delivery.sbom [STAGE …] --folder build/images`.

STAGE.cdx.json is CycloneDX: the Python distributions as cyclonedx-py finds them inside of the image, with their
licences, and the Debian packages of the base. licences.md lists the distributions of all images by licence; one that is
not accepted (delivery/licences.py) ends this with 2.
"""

import argparse
import json
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from delivery.image_tree import FOLDERS, REGISTRY, ROOT, ImageTree, find_image_tree
from delivery.licences import check_licences, list_licences
from sentinel.errors import FixNeededError, SentinelError, UnavailableError

SPECIFICATION = "1.6"
SECONDS = 300
PYTHON = "/opt/venv/bin/python"
# Run inside of the image; cyclonedx-py is lent by this machine, for this process only, so it is not listed.
FIND_DISTRIBUTIONS = f"""
import sys
sys.path.append("/lent")
from cyclonedx_py._internal.cli import run
sys.exit(run(argv=["environment", "--output-reproducible", "--sv", "{SPECIFICATION}", "--of", "JSON", "{PYTHON}"]))
"""
Components = list[dict[str, Any]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files and return the exit code."""
    given = _parse(arguments)
    try:
        given.folder.mkdir(parents=True, exist_ok=True)
        documents = {}
        for stage in given.stages or FOLDERS:
            source = find_image_tree(stage, ROOT, base=given.base)
            documents[stage] = describe_image(source, f"{given.registry}/{stage}:{source.tree}")
            path = given.folder / f"{stage}.cdx.json"
            path.write_text(json.dumps(documents[stage], indent=1, sort_keys=True) + "\n")
            print(f"{path}: {len(documents[stage]['components'])} components")
        (given.folder / "licences.md").write_text(list_licences(documents))
        check_licences(documents)
    except SentinelError as error:
        print(f"sbom: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def describe_image(source: ImageTree, name: str) -> dict[str, Any]:
    """Return the CycloneDX document of an image."""
    lent = f"{sysconfig.get_path('purelib')}:/lent:ro"
    document: dict[str, Any] = json.loads(_run(name, ["--volume", lent], PYTHON, "-c", FIND_DISTRIBUTIONS))
    document["components"] += read_packages(_run(name, [], "cat", "/var/lib/dpkg/status"))
    document["metadata"]["component"] = {
        "type": "container", "bom-ref": source.stage, "name": f"sentinel/{source.stage}", "version": source.tree,
        "licenses": [{"license": {"id": "Apache-2.0"}}],
    }
    return document


def read_packages(status: str) -> Components:
    """Return the Debian packages that dpkg's file lists, as components."""
    return [_package(fields) for fields in _paragraphs(status) if fields.get("Status", "").endswith(" installed")]


def _paragraphs(status: str) -> Iterator[dict[str, str]]:
    for paragraph in status.strip().split("\n\n"):
        yield dict(re.findall(r"^([A-Z][\w-]*): (.*)$", paragraph, re.MULTILINE))


def _package(fields: Mapping[str, str]) -> dict[str, Any]:
    name, version = fields["Package"], fields["Version"]
    purl = f"pkg:deb/debian/{name}@{version.replace('+', '%2B').replace(':', '%3A')}?arch={fields['Architecture']}"
    return {"type": "library", "bom-ref": f"deb:{name}:{fields['Architecture']}", "name": name, "version": version,
            "purl": purl}


def _run(name: str, options: Sequence[str], program: str, *arguments: str) -> str:
    """Run a program of the image, without a network, and return what it wrote."""
    command = ["docker", "run", "--rm", "--network", "none", "--read-only", "--tmpfs", "/tmp", *options,
               "--entrypoint", program, name, *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    except FileNotFoundError:
        raise FixNeededError("the program docker is not installed; install it, or run this elsewhere") from None
    except subprocess.TimeoutExpired:
        raise UnavailableError(f"{name} did not tell what it holds within {SECONDS} s; run the same again") from None
    if done.returncode:
        raise FixNeededError(f"cannot look into {name}: {done.stderr.strip()[-500:]}; build it first: make images")
    return done.stdout


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m delivery.sbom", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stages", nargs="*", metavar="STAGE", help=f"{', '.join(FOLDERS)} (all)")
    parser.add_argument("--registry", default=REGISTRY, help=f"where the images belong ({REGISTRY})")
    parser.add_argument("--base", help="the base image that the build was given")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "images", help="where to write (build/images)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
