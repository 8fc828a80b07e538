"""Releases of made-up images on staging, in place of the workflows: for tests of what comes after them."""

import hashlib
import json

import pytest

from delivery.image_tree import find_image_tree
from delivery.publish_digest import publish_release
from delivery.signature import Claim, sign
from delivery.write_digest import Release
from tests.delivery.hosted import Trial

SIGNER = "https://github.com/octo/sentinel/.github/workflows/stage.yml@refs/heads/staging"
VERIFY = (f"--certificate-identity={SIGNER}",)
TYPE = "application/vnd.docker.distribution.manifest.v2+json"


def use_programs(made: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process find the stand-ins, as a job of stage.yml does."""
    (made.folder / "machine").mkdir(exist_ok=True)
    machine = {"TRIAL_MACHINE": str(made.folder / "machine"), "TRIAL_IDENTITY": SIGNER}
    for name, value in {**made.hosted.environment, **machine}.items():
        monkeypatch.setenv(name, value)


def release(made: Trial, stage: str, signed: bool = True) -> Release:
    """Put a made-up image into the registry, sign it, and write its digest on staging."""
    found = find_image_tree(stage, made.laptop, "origin/staging")
    content = json.dumps({"schemaVersion": 2, "mediaType": TYPE, "of": [stage, found.tree]}).encode()
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    for name in (digest, found.tree):
        made.registry.manifests[f"sentinel/{stage}", name] = (TYPE, content)
    if signed:
        sign(f"{registry_of(made)}/{stage}@{digest}", Claim(stage, found.tree, found.revision), ())
    given = Release(stage, found.tree, digest)
    assert "written" == publish_release(made.laptop, given)
    return given


def registry_of(made: Trial) -> str:
    return made.hosted.environment["REGISTRY"]
