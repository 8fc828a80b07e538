"""What the delivery asks of Docker, each as one command of its client."""

import json
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from delivery.image_tree import FOLDERS, ImageTree, git
from sentinel.errors import FixNeededError, UnavailableError

ABSENT = ("no such image",)
BUILD_SECONDS, TRANSFER_SECONDS = 3_600.0, 900.0  # of the largest image, on a slow line
SHOWN_LINES = 20


@dataclass(frozen=True)
class Image:
    """An image that this machine has."""

    name: str
    id: str  # of the configuration, sha256:…
    size_bytes: int
    digest: str  # what the registry in its name calls it; empty before a push or a pull


def find_image(name: str) -> Image | None:
    """Return the image if this machine has it."""
    answer = run_docker("image", "inspect", name, absent=ABSENT)
    if answer is None:
        return None
    [facts] = json.loads(answer)
    repository = name.rpartition(":")[0]
    digests = [one.partition("@")[2] for one in facts["RepoDigests"] if one.startswith(f"{repository}@")]
    return Image(name, facts["Id"], facts["Size"], digests[0] if digests else "")


def build_image(repository: Path, source: ImageTree, name: str, network: str, arguments: Mapping[str, str]) -> None:
    """Build an image of exactly the files that its tag stands for.

    The context is the tree, not the folder: no file that is not committed can come in.
    """
    given = [part for key, value in sorted(arguments.items()) for part in ("--build-arg", f"{key}={value}")]
    with tempfile.NamedTemporaryFile(suffix=".tar") as context:
        git(repository, "archive", "--format=tar", f"--output={context.name}", source.tree)
        dockerfile = f"{FOLDERS[source.stage]}/Dockerfile"
        run_docker("build", "--quiet", "--network", network, "--file", dockerfile, "--tag", name, *given, "-",
                   context=context.fileno(), seconds=BUILD_SECONDS)


def push_image(name: str) -> str:
    """Push an image and return the digest that the registry gave it."""
    run_docker("push", "--quiet", name)
    image = find_image(name)
    if image is None or not image.digest:
        raise UnavailableError(f"pushed {name}, but Docker names no digest of it; push it again")
    return image.digest


def run_docker(*arguments: str, context: int | None = None, absent: tuple[str, ...] = (),
               seconds: float = TRANSFER_SECONDS) -> str | None:
    """Run the client and return what it wrote; None where it says one of the words `absent` of an image.

    Raises FixNeededError where there is no client, and UnavailableError with Docker's last words.
    """
    try:
        done = subprocess.run(["docker", *arguments], stdin=subprocess.DEVNULL if context is None else context,
                              capture_output=True, text=True, timeout=seconds)
    except FileNotFoundError:
        raise FixNeededError("the program docker is not installed; install it, or build elsewhere") from None
    except subprocess.TimeoutExpired:
        raise UnavailableError(f"docker {arguments[0]} did not end within {seconds:.0f} s") from None
    if done.returncode == 0:
        return done.stdout
    words = done.stderr.strip() or done.stdout.strip()
    if any(phrase in words.lower() for phrase in absent):
        return None
    shown = "\n".join(words.splitlines()[-SHOWN_LINES:])
    raise UnavailableError(f"docker {arguments[0]} failed with {done.returncode}:\n{shown}")
