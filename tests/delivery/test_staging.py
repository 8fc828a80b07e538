"""How the branch staging is written, and the steps around it: real Git, a registry over HTTP, a stand-in for cosign."""

import hashlib
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from delivery.image_tree import find_image_tree
from delivery.publish_digest import publish_release
from delivery.registry import find_digest
from delivery.release import look, plan
from delivery.signature import Claim, read_claims, sign
from delivery.staging import change_staging
from delivery.update_base import pin_bases
from delivery.write_digest import Release
from sentinel.errors import CorruptFileError, FixNeededError, PermissionDeniedError, UnavailableError
from tests.delivery.hosted import FOLDERS, ROOT, STAGES, Trial
from tests.delivery.releasing import VERIFY, registry_of, release

KILLED = """
import os, sys
from pathlib import Path
from delivery.staging import change_staging
change_staging(Path(sys.argv[1]), lambda checkout: os.kill(os.getpid(), 9))
"""
PUBLISH = "import sys; from delivery.publish_digest import main; sys.exit(main(sys.argv[1:]))"


def test_digests_pushed_at_once_by_four_processes_are_all_written(made):
    given = {stage: Release(stage, find_image_tree(stage, made.laptop).tree, "sha256:" + f"{number}" * 64)
             for number, stage in enumerate(STAGES, start=1)}
    processes = [subprocess.Popen((sys.executable, "-c", PUBLISH, stage, one.digest, "--tag", one.tag,
                                   "--repository", str(made.laptop)), cwd=ROOT, stdout=subprocess.DEVNULL)
                 for stage, one in given.items()]

    assert [0] * 4 == [process.wait() for process in processes]
    assert given == made.releases()


def test_working_tree_and_branches_stay_as_they_are(made):
    (made.laptop / "data_fetch/unsaved.py").write_text("half = 1\n")
    before = [made.git("status", "--porcelain"), made.git("for-each-ref"), made.git("worktree", "list")]

    release(made, "data-fetch")

    after = [made.git("status", "--porcelain"), made.git("for-each-ref"), made.git("worktree", "list")]
    assert before[0] == after[0] and before[2] == after[2]
    assert "refs/sentinel" not in after[1]


def test_process_killed_in_the_middle_is_in_nobodys_way(made):
    killed = subprocess.run((sys.executable, "-c", KILLED, str(made.laptop)), cwd=ROOT)

    given = release(made, "data-fetch")

    assert -signal.SIGKILL == killed.returncode
    assert given == made.releases()["data-fetch"]
    assert "refs/sentinel" not in made.git("for-each-ref")


def test_digest_that_is_there_already_makes_no_commit(made):
    given = release(made, "data-fetch")
    before = made.git("rev-parse", "staging", at=made.hosted.server)

    assert "already there" == publish_release(made.laptop, given)
    assert before == made.git("rev-parse", "staging", at=made.hosted.server)


def test_digest_of_files_that_staging_no_longer_has_is_not_written(made):
    late = Release("data-fetch", "1" * 40, "sha256:" + "a" * 64)

    assert publish_release(made.laptop, late).startswith("superseded")
    assert made.releases()["data-fetch"] is None


@pytest.mark.parametrize("says, error, advice", [
    ("GH006: Protected branch update failed", PermissionDeniedError, "bypass list"),
    ("the disk is full", PermissionDeniedError, "deploy key"),
])
def test_server_that_refuses_is_not_tried_again(made, says, error, advice):
    hook = made.hosted.server / "hooks/pre-receive"
    hook.write_text(f'#!/bin/sh\necho x >> "{made.folder}/tries"\necho "{says}" >&2\nexit 1\n')
    hook.chmod(0o755)

    with pytest.raises(error, match=advice):
        release(made, "data-fetch")
    assert "x\n" == (made.folder / "tries").read_text()


def test_somebody_always_faster_ends_with_advice(made, monkeypatch):
    monkeypatch.setattr("delivery.staging.LONGEST_WAIT_SECONDS", 0.0)
    other = made.folder / "other"
    made.git("clone", "--quiet", "--branch", "staging", str(made.hosted.server), str(other), at=made.folder)

    def edit(checkout: Path) -> str:
        made.git("-c", "user.name=x", "-c", "user.email=x", "commit", "--quiet", "--allow-empty", "-m", "x", at=other)
        made.git("push", "--quiet", "origin", "staging", at=other)
        (checkout / "Makefile").write_text("mine\n")
        return "Mine"

    with pytest.raises(UnavailableError, match="12 times somebody else was faster"):
        change_staging(made.laptop, edit)


# The steps between.


def test_plan_asks_git_alone(made):
    tree = find_image_tree("data-fetch", made.laptop).tree

    assert {"tag": tree, "changed": "true"} == plan(made.laptop, "data-fetch")
    release(made, "data-fetch")
    made.git("pull", "--quiet", "origin", "staging")
    assert {"tag": tree, "changed": "false"} == plan(made.laptop, "data-fetch")


def test_look_tells_absent_unsigned_and_signed_apart(made):
    assert "absent" == look(made.laptop, "data-fetch", VERIFY, registry_of(made))["state"]
    given = release(made, "data-fetch", signed=False)
    assert {"state": "unsigned", "digest": given.digest} == look(made.laptop, "data-fetch", VERIFY, registry_of(made))
    release(made, "ml-training")
    assert "signed" == look(made.laptop, "ml-training", VERIFY, registry_of(made))["state"]


def test_signature_of_somebody_else_counts_as_none(made):
    given = release(made, "data-fetch")

    assert [] == read_claims(f"{registry_of(made)}/data-fetch@{given.digest}", ("--certificate-identity=eve",))


def test_registry_that_is_gone_is_not_an_absent_image(made, monkeypatch):
    with pytest.raises(UnavailableError, match="run the same again"):
        find_digest("127.0.0.1:9/sentinel/data-fetch:1")


@pytest.mark.parametrize("says, kind", [
    ("denied: registry contains 5 repositories, limit is 5", FixNeededError),
    ("unexpected status 507: unknown: registry storage limit reached", FixNeededError),
    ("received unexpected HTTP status: 507 Insufficient Storage", FixNeededError),
    ("denied: requested access to the resource is denied", PermissionDeniedError),
    ("toomanyrequests: rate limit exceeded", UnavailableError),
    ("Head https://h/v2/n/manifests/sha256:a507b: dial tcp: connection refused", UnavailableError),
    ("error getting credentials: exec: docker-credential-x: executable file not found in $PATH", UnavailableError),
])
def test_words_of_a_registry_tell_who_can_mend_it(monkeypatch, tmp_path, says, kind):
    (tmp_path / "docker").write_text(f"#!/bin/sh\necho '{says}' >&2\nexit 1\n")
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")

    with pytest.raises(kind) as caught:
        find_digest("h/n:t")
    assert kind is type(caught.value)


@pytest.mark.parametrize("says, kind, advice", [
    ("PUT https://h/v2/n: unexpected status code 507 Insufficient Storage", FixNeededError, "remove old images"),
    ("Post https://rekor.sigstore.dev: context deadline exceeded", UnavailableError, "goes on from there"),
])
def test_image_that_could_not_be_signed_is_told_by_why(monkeypatch, tmp_path, says, kind, advice):
    """A signature is kept in the registry, which may be full by then."""
    (tmp_path / "cosign").write_text(f"#!/bin/sh\necho '{says}' >&2\nexit 1\n")
    (tmp_path / "cosign").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")

    with pytest.raises(kind, match=f"n@sha256:1 is pushed but not signed: .*{advice}") as caught:
        sign("h/n@sha256:1", Claim("data-fetch", "1" * 40, "2" * 40), ())
    assert kind is type(caught.value)


@pytest.mark.parametrize("program, call", [
    ("docker", lambda: find_digest("h/n:t")), ("cosign", lambda: read_claims("i", ())),
])
def test_missing_program_is_named(monkeypatch, program, call):
    monkeypatch.setenv("PATH", "/nowhere")

    with pytest.raises(FixNeededError, match=f"{program} is not installed"):
        call()


# The base image.


@pytest.fixture
def newest(made: Trial, monkeypatch: pytest.MonkeyPatch) -> str:
    """Stand in for skopeo with one manifest, and return its digest."""
    programs = made.folder / "programs"
    programs.mkdir()
    (programs / "skopeo").write_text("#!/bin/sh\nprintf manifest\n")
    (programs / "skopeo").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{made.hosted.environment['PATH']}")
    made.merge({f"{folder}/Dockerfile": "# Base.\nARG BASE=python:3.11-slim\nFROM ${BASE}\n"
                for folder in FOLDERS.values()})
    return "sha256:" + hashlib.sha256(b"manifest").hexdigest()


def test_newer_base_is_pinned_in_all_dockerfiles_and_is_another_tree(made, newest):
    before = {stage: find_image_tree(stage, made.laptop).tree for stage in STAGES}

    assert change_staging(made.laptop, lambda checkout: str(pin_bases(checkout)) or None)
    assert not change_staging(made.laptop, lambda checkout: "x" if pin_bases(checkout) else None)

    made.git("fetch", "--quiet", "origin")
    for stage, folder in FOLDERS.items():
        assert f"ARG BASE=python:3.11-slim@{newest}\nFROM" in made.git("show", f"origin/staging:{folder}/Dockerfile")
        assert before[stage] != find_image_tree(stage, made.laptop, "origin/staging").tree


def test_dockerfile_without_a_base_to_pin_is_named(made, newest):
    (made.laptop / "ml_training/Dockerfile").write_text("FROM scratch\n")

    with pytest.raises(CorruptFileError, match="ml_training/Dockerfile"):
        pin_bases(made.laptop)


def test_our_own_dockerfiles_have_a_base_to_pin(made, newest, tmp_path):
    for folder in FOLDERS.values():
        (made.laptop / folder / "Dockerfile").write_text((ROOT / folder / "Dockerfile").read_text())

    assert {"python:3.11-slim": newest} == pin_bases(made.laptop)
