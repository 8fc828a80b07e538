"""Look into the registry and push to it, and say what to do when it refuses."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

from delivery.docker import push_image, run_docker
from sentinel.errors import FixNeededError, NotFoundError, PermissionDeniedError, UnavailableError

LOOPBACK = ("127.0.0.1", "localhost")  # spoken to without TLS
ABSENT = ("no such manifest", "manifest unknown", "name unknown", ": not found")
# What registries say when there is no room; DigitalOcean's begins with "denied: " too, so it is looked for first.
# A digest may hold the digits of a status, and too many requests pass by themselves.
FULL = re.compile(r"status:? 507\b|insufficient storage|quota|(?<!rate )limit (is|of|reached|exceeded)|no space left")
DENIED = re.compile(r"unauthorized|denied|authentication required|forbidden|no basic auth")


def find_digest(image: str) -> str | None:
    """Return the digest of `registry/name:tag` or `registry/name@digest`, None when the registry has no such image."""
    insecure = ("--insecure",) if image.partition(":")[0] in LOOPBACK else ()
    with _advice(f"cannot look for {image}"):
        answer = run_docker("manifest", "inspect", "--verbose", *insecure, image, absent=ABSENT)
    if answer is None:
        return None
    found = json.loads(answer)
    if isinstance(found, list):
        raise FixNeededError(f"{image} is a list of {len(found)} images, expected one; push one platform only")
    return str(found["Descriptor"]["digest"])


def push(image: str) -> str:
    """Push `registry/name:tag` from this machine and return its digest."""
    with _advice(f"cannot push {image}"):
        return push_image(image)


def pull(image: str, name: str) -> None:
    """Bring `registry/name@digest` to this machine and call it `name`."""
    with _advice(f"cannot pull {image}"):
        if run_docker("pull", "--quiet", image, absent=ABSENT) is None:
            raise NotFoundError(f"the registry has no {image}; run the workflow again, it builds the image anew")
    run_docker("tag", image, name)


def find_full(failed: str, said: str) -> FixNeededError | None:
    """Return what to do where the words of a registry mean that it has no room."""
    if FULL.search(said.lower()) is None:
        return None
    return FixNeededError(
        f"{failed}: the registry is full: {said}; remove old images (`doctl registry garbage-collection start "
        "--include-untagged-manifests`, never a digest that argo-apps/base names) or take a larger plan, then "
        "run the same again; no digest was written, and what runs keeps running")


@contextmanager
def _advice(failed: str) -> Iterator[None]:
    try:
        yield
    except UnavailableError as error:
        said = str(error).lower()
        if full := find_full(failed, str(error)):
            raise full from error
        if DENIED.search(said):
            raise PermissionDeniedError(
                f"{failed}: the registry does not allow it: {error}; run `make log-in-registry` with a token that may, "
                "or renew the secret REGISTRY_TOKEN, then run the same again"
            ) from error
        raise UnavailableError(f"{failed}: {error}; run the same again when the registry answers") from error
