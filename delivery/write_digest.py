"""Write which image a stage runs, by digest, into the kustomization of its Application.

    python -m delivery.write_digest data-fetch sha256:… --tag <tree hash>

The file is edited in place: comments stay, and the same digest twice changes nothing.
"""

import argparse
import re
import sys
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from delivery.image_tree import REGISTRY
from sentinel.errors import CorruptFileError, FixNeededError, NotFoundError, SentinelError

BATCH = "argo-apps/base/batch/kustomization.yaml"
SERVING = "argo-apps/base/serving/kustomization.yaml"
KUSTOMIZATIONS = {"data-fetch": BATCH, "spark-preprocess": BATCH, "ml-training": BATCH, "model-serving": SERVING}
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
TAG = re.compile(r"[0-9a-f]{12,64}")  # a git tree hash, whole or shortened
NOT_RELEASED = "sha256:" + "0" * 64  # as the manifests begin


@dataclass(frozen=True)
class Release:
    """One image of one stage: where it came from (tag) and its very bytes (digest)."""

    stage: str  # "data-fetch"
    tag: str  # tree hash of what went into the image
    digest: str  # "sha256:…"

    def __post_init__(self) -> None:
        """Refuse what no image can be named by."""
        if self.stage not in KUSTOMIZATIONS:
            raise FixNeededError(f"no stage is named {self.stage!r}; give one of {', '.join(KUSTOMIZATIONS)}")
        if not DIGEST.fullmatch(self.digest):
            raise FixNeededError(
                f"the digest of {self.stage} is {self.digest!r}, expected sha256: and 64 hexadecimal digits; "
                "give the digest that the push to the registry printed"
            )
        if not TAG.fullmatch(self.tag):
            raise FixNeededError(f"the tag of {self.stage} is {self.tag!r}, expected a git tree hash")


def read_release(root: Path, stage: str) -> Release | None:
    """Return the image that the manifests under `root` give a stage, None when it was never released."""
    entry = _entry(_read(root, stage), stage)
    if entry is None or entry.get("digest", NOT_RELEASED) == NOT_RELEASED:
        return None
    return Release(stage, str(entry.get("newTag", "")), str(entry["digest"]))


def write_release(root: Path, release: Release) -> bool:
    """Give the stage that image in the manifests under `root`; say whether this changed anything."""
    if read_release(root, release.stage) == release:
        return False
    document = _read(root, release.stage)
    entry = _entry(document, release.stage)
    if entry is None:
        entry = {"name": f"{REGISTRY}/{release.stage}"}
        document.setdefault("images", []).append(entry)
    entry["newTag"] = DoubleQuotedScalarString(release.tag)  # 1234 and 1e34 would be numbers
    entry["digest"] = release.digest
    path = root / KUSTOMIZATIONS[release.stage]
    text = StringIO()
    _yaml().dump(document, text)
    partial = path.with_suffix(".partial")
    partial.write_text(text.getvalue(), encoding="utf-8")
    partial.replace(path)
    return True


def _read(root: Path, stage: str) -> Any:
    path = root / KUSTOMIZATIONS[stage]
    try:
        document = _yaml().load(path)
    except FileNotFoundError as error:
        raise NotFoundError(f"{path} is not there; give the root of a checkout with --root") from error
    except YAMLError as error:
        raise CorruptFileError(f"{path} is no YAML: {error}; mend it by hand") from error
    if not isinstance(document, dict) or not isinstance(document.get("images") or [], list):
        raise CorruptFileError(f"{path} is no kustomization with a list of images; mend it by hand")
    return document


def _entry(document: Any, stage: str) -> Any:
    entries = [one for one in document.get("images") or [] if one.get("name") == f"{REGISTRY}/{stage}"]
    if len(entries) > 1:
        raise CorruptFileError(f"{KUSTOMIZATIONS[stage]} names the image of {stage} twice; keep one entry")
    return entries[0] if entries else None


def _yaml() -> YAML:
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.indent(mapping=2, sequence=4, offset=2)  # as the manifests are written
    yaml.width = 4096  # no line is ever folded
    return yaml


def main(arguments: list[str] | None = None) -> int:
    """Write one digest and say what changed."""
    parser = argparse.ArgumentParser(prog="delivery.write_digest", description=__doc__.splitlines()[0])
    parser.add_argument("stage")
    parser.add_argument("digest")
    parser.add_argument("--tag", required=True, help="tree hash of what went into the image")
    parser.add_argument("--root", type=Path, default=Path(), help="a checkout (default: here)")
    given = parser.parse_args(arguments)
    try:
        changed = write_release(given.root, Release(given.stage, given.tag, given.digest))
    except SentinelError as error:
        print(f"write_digest: {error}", file=sys.stderr)
        return error.exit_code
    print(f"{KUSTOMIZATIONS[given.stage]}: {given.stage} {'is now' if changed else 'was already'} {given.digest}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
