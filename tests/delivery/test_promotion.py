"""What may be merged into main: real Git, a registry over HTTP, and a stand-in for cosign."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from delivery.image_tree import find_image_tree
from delivery.promote import NotPromotableError, check_merged, check_promotion, main
from delivery.publish_digest import publish_release
from delivery.registry import find_digest
from delivery.release import look, plan
from delivery.signature import Claim, read_claims, sign
from delivery.staging import change_staging
from delivery.update_base import pin_bases
from delivery.write_digest import Release
from sentinel.errors import CorruptFileError, FixNeededError, PermissionDeniedError, UnavailableError
from tests.delivery.hosted import FOLDERS, ROOT, STAGES, Trial, begin
from tests.delivery.registry_server import Registry, registry_server

SIGNER = "https://github.com/octo/sentinel/.github/workflows/stage.yml@refs/heads/staging"
VERIFY = (f"--certificate-identity={SIGNER}",)
TYPE = "application/vnd.docker.distribution.manifest.v2+json"


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    """Serve one registry for all tests of this file."""
    with registry_server() as registry:
        yield registry


@pytest.fixture(scope="module")
def first(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    """Return a repository with both branches; the tests take copies."""
    return begin(tmp_path_factory.mktemp("first"), registry)


@pytest.fixture(scope="module")
def first_released(first: Trial, tmp_path_factory: pytest.TempPathFactory) -> tuple[Trial, Registry]:
    """Release the four stages once, and keep what the registry holds then."""
    made = first.copy(tmp_path_factory.mktemp("released"))
    with pytest.MonkeyPatch.context() as monkeypatch:
        use_programs(made, monkeypatch)
        for stage in STAGES:
            release(made, stage)
    made.git("fetch", "--quiet", "origin")
    return made, replace(made.registry)


@pytest.fixture
def made(first: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trial:
    """Return a repository of which nothing is released."""
    made = first.copy(tmp_path)
    made.registry.restore(Registry())
    use_programs(made, monkeypatch)
    return made


@pytest.fixture
def released(first_released: tuple[Trial, Registry], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trial:
    """Return one whose four stages are released on staging."""
    made, registry = first_released
    made.registry.restore(registry)
    copy = made.copy(tmp_path)
    use_programs(copy, monkeypatch)
    return copy


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


def check(made: Trial, head: str = "origin/staging") -> list[Release]:
    return check_promotion(made.laptop, made.git("rev-parse", head), VERIFY, registry_of(made))


def merge_to_main(made: Trial, *how: str) -> None:
    made.git("checkout", "--quiet", "-B", "main", "origin/main")
    made.git("merge", "--quiet", *how, "origin/staging")
    if "--squash" in how:
        made.git("commit", "--quiet", "--message", "Squashed")
    made.git("push", "--quiet", "origin", "main")


def test_what_was_released_on_staging_may_be_promoted(released):
    assert list(released.releases().values()) == check(released)


@pytest.mark.parametrize("how", ["--no-ff", "--ff-only"])
def test_after_a_merge_main_is_what_staging_was(released, how):
    merge_to_main(released, how, *(["--message", "Promote"] if how == "--no-ff" else []))

    assert list(released.releases().values()) == check_merged(released.laptop, "main", VERIFY, registry_of(released))
    assert released.releases() == released.releases("main")


def test_second_promotion_needs_no_more_than_the_first(released):
    merge_to_main(released, "--no-ff", "--message", "Promote")
    released.merge({"data_fetch/change.py": "x = 1\n"})
    release(released, "data-fetch")
    released.git("fetch", "--quiet", "origin")

    assert list(released.releases().values()) == check(released)


def test_rollback_of_main_to_an_earlier_merge_needs_no_staging(released):
    merge_to_main(released, "--no-ff", "--message", "Promote")
    earlier = released.releases("main")
    released.merge({"data_fetch/change.py": "x = 1\n"})
    release(released, "data-fetch")
    released.git("fetch", "--quiet", "origin")
    merge_to_main(released, "--no-ff", "--message", "Promote again")
    released.git("fetch", "--quiet", "origin")
    released.git("checkout", "--quiet", "-B", "back", "origin/main")
    released.git("revert", "--no-edit", "--mainline", "1", "HEAD")

    assert list(earlier.values()) == check(released, "back")
    released.git("push", "--quiet", "origin", "back:main")
    released.git("fetch", "--quiet", "origin")
    assert list(earlier.values()) == check_merged(released.laptop, "origin/main", VERIFY, registry_of(released))
    with pytest.raises(NotPromotableError, match="merge main into staging"):
        check(released)


def test_squashed_merge_is_told(released):
    merge_to_main(released, "--squash")

    with pytest.raises(NotPromotableError, match="was it squashed"):
        check_merged(released.laptop, "main", VERIFY, registry_of(released))


def test_everything_against_a_promotion_is_listed_at_once(made):
    unsigned = release(made, "data-fetch", signed=False)
    release(made, "ml-training")
    gone = release(made, "model-serving")
    del made.registry.manifests["sentinel/model-serving", gone.digest]
    made.merge({"ml_training/change.py": "x = 1\n"})

    with pytest.raises(NotPromotableError) as caught:
        check(made)

    listed = str(caught.value).splitlines()[1:]
    assert 4 == len(listed)
    assert "spark-preprocess: " in listed[0] and "gives no digest" in listed[0]
    assert f"data-fetch@{unsigned.digest} is not signed" in listed[1]
    assert "ml-training: the digest is of tree" in listed[2]
    assert "model-serving: the registry has no " in listed[3]


def test_signature_for_another_stage_or_tree_does_not_count(released):
    for stage in STAGES:
        for path in (released.folder / "signatures").iterdir():
            path.write_text(path.read_text().replace(f'"stage": "{stage}"', '"stage": "other"'))

    with pytest.raises(NotPromotableError, match="is signed, but as other of tree"):
        check(released)


def test_image_of_a_commit_that_is_not_in_the_history_is_refused(released):
    for path in (released.folder / "signatures").iterdir():
        signature = json.loads(path.read_text())
        signature["optional"]["revision"] = "f" * 40
        path.write_text(json.dumps(signature))

    with pytest.raises(NotPromotableError, match="no commit of this history"):
        check(released)


def test_commit_that_is_not_on_staging_is_refused(released):
    released.git("checkout", "--quiet", "-B", "topic", "origin/staging")
    released.git("commit", "--quiet", "--allow-empty", "--message", "Quick")

    with pytest.raises(NotPromotableError, match="not on the branch staging"):
        check(released, "topic")


@pytest.mark.parametrize("path, text, expected", [
    ("README", "quick\n", "main holds a change of its own"),
    ("data_fetch/__main__.py", "quick = 1\n", "does not merge into main without a conflict"),
])
def test_main_with_a_change_of_its_own_is_merged_to_staging_first(released, path, text, expected):
    released.merge({"data_fetch/__main__.py": "other = 1\n"})
    release(released, "data-fetch")
    released.merge({path: text}, branch="main")
    released.git("fetch", "--quiet", "origin")

    with pytest.raises(NotPromotableError, match=expected):
        check(released)


def test_command_lists_what_production_will_run_or_why_not(released, capsys, monkeypatch):
    monkeypatch.chdir(released.laptop)
    head = ["--head", released.git("rev-parse", "origin/staging"), "--registry", registry_of(released)]

    assert 0 == main([*head, "--", *VERIFY])
    assert 2 == main([*head, "--", "--certificate-identity=somebody else"])

    said = capsys.readouterr()
    assert 4 == said.out.count("tried and signed")
    assert 4 == said.err.count("is not signed by our workflow")


# Writing on staging.

PUBLISH = "import sys; from delivery.publish_digest import main; sys.exit(main(sys.argv[1:]))"


def test_digests_pushed_at_once_by_four_processes_are_all_written(made):
    given = {stage: Release(stage, find_image_tree(stage, made.laptop).tree, "sha256:" + f"{number}" * 64)
             for number, stage in enumerate(STAGES, start=1)}
    processes = [subprocess.Popen((sys.executable, "-c", PUBLISH, stage, one.digest, "--tag", one.tag,
                                   "--repository", str(made.laptop)), cwd=ROOT, stdout=subprocess.PIPE)
                 for stage, one in given.items()]

    assert [0] * 4 == [process.wait() for process in processes]
    assert given == made.releases()
    for process in processes:
        process.stdout.close()


def test_working_tree_and_branches_stay_as_they_are(made):
    (made.laptop / "data_fetch/unsaved.py").write_text("half = 1\n")
    before = [made.git("status", "--porcelain"), made.git("for-each-ref"), made.git("worktree", "list")]

    release(made, "data-fetch")

    after = [made.git("status", "--porcelain"), made.git("for-each-ref"), made.git("worktree", "list")]
    assert before[0] == after[0] and before[2] == after[2]
    assert "refs/sentinel" not in after[1]


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
