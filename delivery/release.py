"""Say what is left to do for the image of a stage; `>> "$GITHUB_OUTPUT"` reads the answer.

    python -m delivery.release plan data-fetch       # by Git alone, without a secret
    python -m delivery.release look data-fetch       # by the registry
    python -m delivery.release push data-fetch
    python -m delivery.release pull data-fetch sha256:…
    python -m delivery.release sign data-fetch sha256:… [-- how cosign signs]

An image is tried before it is pushed and signed last, so a run that was cancelled anywhere is simply run again:
`state` is absent (build, try, push, sign), unsigned (pull that very image, try, sign) or signed (nothing to do).
"""

import argparse
import sys
from pathlib import Path

from delivery.image_tree import FOLDERS, REGISTRY, find_image_tree
from delivery.registry import find_digest, pull, push
from delivery.signature import Claim, read_claims, sign
from delivery.write_digest import DIGEST, read_release
from sentinel.errors import FixNeededError, SentinelError


def plan(repository: Path, stage: str) -> dict[str, str]:
    """Tell by Git alone whether the manifests already run what the files of the stage give."""
    tag = find_image_tree(stage, repository).tree
    release = read_release(repository, stage)
    return {"tag": tag, "changed": "false" if release and release.tag == tag else "true"}


def look(repository: Path, stage: str, arguments: tuple[str, ...], registry: str = REGISTRY) -> dict[str, str]:
    """Tell what the registry has of the stage's files: its state, and its digest."""
    tree = find_image_tree(stage, repository).tree
    digest = find_digest(f"{registry}/{stage}:{tree}")
    if digest is None:
        return {"state": "absent", "digest": ""}
    claims = read_claims(f"{registry}/{stage}@{digest}", arguments)
    signed = any((claim.stage, claim.tree) == (stage, tree) for claim in claims)
    return {"state": "signed" if signed else "unsigned", "digest": digest}


def push_release(repository: Path, stage: str, registry: str = REGISTRY) -> dict[str, str]:
    """Push the image of the stage's files, which was tried just now."""
    return {"digest": push(f"{registry}/{stage}:{find_image_tree(stage, repository).tree}")}


def pull_release(repository: Path, stage: str, digest: str, registry: str = REGISTRY) -> dict[str, str]:
    """Bring the image that a cancelled run pushed, under the name that a build would give it."""
    _check_digest(stage, digest)
    pull(f"{registry}/{stage}@{digest}", f"{registry}/{stage}:{find_image_tree(stage, repository).tree}")
    return {"digest": digest}


def sign_release(
    repository: Path, stage: str, digest: str, arguments: tuple[str, ...], registry: str = REGISTRY,
) -> dict[str, str]:
    """Sign the image of the stage's files, which was tried just now."""
    _check_digest(stage, digest)
    found = find_image_tree(stage, repository)
    sign(f"{registry}/{stage}@{digest}", Claim(stage, found.tree, found.revision), arguments)
    return {"signed": digest}


def main(arguments: list[str] | None = None) -> int:
    """Print NAME=VALUE lines."""
    parser = argparse.ArgumentParser(prog="delivery.release", description=__doc__.splitlines()[0])
    parser.add_argument("step", choices=("plan", "look", "push", "pull", "sign"))
    parser.add_argument("stage", choices=FOLDERS)
    parser.add_argument("digest", nargs="?", default="")
    parser.add_argument("--repository", type=Path, default=Path())
    parser.add_argument("--registry", default=REGISTRY)
    own, cosign = _split(sys.argv[1:] if arguments is None else arguments)
    given = parser.parse_args(own)
    try:
        facts = _take(given, cosign)
    except SentinelError as error:
        print(f"release: {error}", file=sys.stderr)
        return error.exit_code
    for name, value in facts.items():
        print(f"{name}={value}")
    return 0


def _take(given: argparse.Namespace, cosign: tuple[str, ...]) -> dict[str, str]:
    match given.step:
        case "plan":
            return plan(given.repository, given.stage)
        case "look":
            return look(given.repository, given.stage, cosign, given.registry)
        case "push":
            return push_release(given.repository, given.stage, given.registry)
        case "pull":
            return pull_release(given.repository, given.stage, given.digest, given.registry)
        case _:
            return sign_release(given.repository, given.stage, given.digest, cosign, given.registry)


def _check_digest(stage: str, digest: str) -> None:
    if not DIGEST.fullmatch(digest):
        raise FixNeededError(f"{stage}: {digest!r} is no digest; give what the push to the registry printed")


def _split(arguments: list[str]) -> tuple[list[str], tuple[str, ...]]:
    """Part our own arguments from those that cosign gets as they are."""
    if "--" not in arguments:
        return arguments, ()
    at = arguments.index("--")
    return arguments[:at], tuple(arguments[at + 1:])


if __name__ == "__main__":
    sys.exit(main())
