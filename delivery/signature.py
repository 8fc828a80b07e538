"""Sign an image by its digest and read what the signature says, by cosign.

The signature is the proof that the image was tried: `stage.yml` signs as the last step, after the image test.
In a workflow the signer is the workflow itself (keyless); elsewhere cosign gets a key.
"""

import json
import subprocess
from dataclasses import dataclass

from delivery.registry import find_full
from sentinel.errors import FixNeededError, UnavailableError

TIMEOUT_SECONDS = 180
UNSIGNED = ("no signatures found", "no matching signatures", "no matching attestations")


@dataclass(frozen=True)
class Claim:
    """What a signature says of an image, next to its digest."""

    stage: str  # "data-fetch"
    tree: str  # tree hash of what went into the image
    revision: str  # commit that it was built and tried at


def sign(image: str, claim: Claim, arguments: tuple[str, ...]) -> None:
    """Sign `registry/name@digest`; `arguments` tell cosign with what, none is keyless."""
    annotations = (f"--annotations={name}={value}" for name, value in vars(claim).items())
    done = _cosign("sign", "--yes", *arguments, *annotations, image)
    if done.returncode != 0:
        failed = f"{image} is pushed but not signed"
        raise find_full(failed, done.stderr.strip()) or UnavailableError(
            f"{failed}: {done.stderr.strip()}; run the same again, it finds the image in the registry and goes on from "
            "there")


def read_claims(image: str, arguments: tuple[str, ...]) -> list[Claim]:
    """Return what the valid signatures of `registry/name@digest` say; none is an empty list.

    `arguments` tell cosign whose signatures count.
    """
    done = _cosign("verify", "--output=json", *arguments, image)
    if done.returncode != 0:
        said = done.stderr.strip()
        if any(words in said.lower() for words in UNSIGNED):
            return []
        raise UnavailableError(f"cannot check the signature of {image}: {said}; run the same again")
    annotations = [one.get("optional") or {} for one in json.loads(done.stdout)]
    names = Claim.__dataclass_fields__
    return [Claim(**{name: one[name] for name in names}) for one in annotations if names.keys() <= one.keys()]


def _cosign(*arguments: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(("cosign", *arguments), capture_output=True, text=True, timeout=TIMEOUT_SECONDS)
    except FileNotFoundError as error:
        raise FixNeededError("cosign is not installed; https://docs.sigstore.dev/cosign/system_config/installation") \
            from error
    except subprocess.TimeoutExpired as error:
        raise UnavailableError(
            f"cosign {arguments[0]} did not end within {TIMEOUT_SECONDS} s; run the same again later"
        ) from error
