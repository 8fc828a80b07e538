"""Ask a registry which digest a tag has, by skopeo; it reads the log-in that `docker login` wrote."""

import subprocess

from sentinel.errors import FixNeededError, PermissionDeniedError, UnavailableError

REGISTRY = "registry.digitalocean.com/sentinel"
TIMEOUT_SECONDS = 60
ABSENT = ("manifest unknown", "name unknown", "repository name not known", "not found")
DENIED = ("unauthorized", "denied", "authentication required", "forbidden")


def find_digest(image: str) -> str | None:
    """Return the digest of `registry/name:tag` or `registry/name@digest`, None when the registry has no such image."""
    command = ("skopeo", "inspect", "--no-tags", "--retry-times", "3", "--format", "{{.Digest}}", f"docker://{image}")
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS)
    except FileNotFoundError as error:
        raise FixNeededError(f"cannot look for {image}: skopeo is not installed; install it (apt, brew)") from error
    except subprocess.TimeoutExpired as error:
        raise UnavailableError(
            f"cannot look for {image}: no answer within {TIMEOUT_SECONDS} s; run the same again later"
        ) from error
    if done.returncode == 0:
        return done.stdout.strip()
    said = done.stderr.strip()
    if any(words in said.lower() for words in DENIED):
        raise PermissionDeniedError(
            f"the registry does not let us read {image}: {said}; run `make log-in-registry` with a token that may"
        )
    if any(words in said.lower() for words in ABSENT):
        return None
    raise UnavailableError(f"cannot look for {image}: {said}; run the same again when the registry answers")
