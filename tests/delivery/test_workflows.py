"""The trial of the workflows: their own steps, run in order, against a registry and a Git server of this machine.

Stood in for are Docker, cosign, and the tests of the stages and of the images; `make test-workflows` runs this.
"""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.delivery.hosted import FOLDERS, SECRETS, STAGES, Trial, begin
from tests.delivery.registry_server import Registry, registry_server
from tests.delivery.workflow_runner import Event, Job, cancel, run_workflow, triggered

pytestmark = pytest.mark.long_workflows
STAGE = "data-fetch"
HANG_SECONDS = 60


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Trial, Registry, dict[str, dict[str, Job]]]]:
    """Release all four stages at once, and keep what the registry holds then."""
    with registry_server() as registry:
        made = begin(tmp_path_factory.mktemp("first"), registry)
        results = made.run(made.merge({"sentinel/__init__.py": '"""What all share."""\n'}))
        yield made, replace(registry), results


@pytest.fixture
def released(first: tuple[Trial, Registry, dict[str, dict[str, Job]]], tmp_path: Path) -> Trial:
    """Return a repository whose four stages are released on staging."""
    made, registry, results = first
    assert ["success"] * 4 == [jobs["stage/write"].result for jobs in results.values()], said(results[STAGE])
    made.registry.restore(registry)
    copy = made.copy(tmp_path)
    copy.built()
    return copy


def said(jobs: dict[str, Job]) -> str:
    return "\n".join(f"{name}: {job.result}\n{job.said}" for name, job in jobs.items())


def change(stage: str, name: str = "change.py") -> dict[str, str]:
    return {f"{FOLDERS[stage]}/{name}": '"""Change."""\n'}


def in_registry(made: Trial) -> dict[str, str | None]:
    return {stage: made.registry.digest(f"sentinel/{stage}", release.tag) if release else None
            for stage, release in made.releases().items()}


def digests(made: Trial, branch: str = "staging") -> dict[str, str | None]:
    return {stage: release and release.digest for stage, release in made.releases(branch).items()}


# What a merge does.


def test_change_in_one_stage_builds_that_stage_alone_and_its_digest_lands_on_staging(released):
    before = digests(released)

    results = released.run(released.merge(change("ml-training")))

    assert ["ml-training"] == list(results)
    assert ["ml-training"] == released.built()
    assert {"ml-training"} == {stage for stage in STAGES if before[stage] != digests(released)[stage]}
    assert in_registry(released) == digests(released)


def test_four_releases_at_once_all_end_written(first):
    """The four workflows run at the same time and push to one branch, three of them into one file."""
    made, _, results = first

    assert ["success"] * 4 == [jobs["stage/write"].result for jobs in results.values()]
    assert sorted(STAGES) == made.built()
    assert None not in digests(made).values()
    assert in_registry(made) == digests(made)
    assert 8 == len(made.hosted.attested)  # where it was built and what is in it, of each
    assert "4" == made.git("rev-list", "--count", "--author", "sentinel delivery", "staging", at=made.hosted.server)


def test_same_tree_twice_builds_nothing_and_writes_nothing(released):
    before = released.git("rev-parse", "staging", at=released.hosted.server)

    results = [released.again(stage) for stage in STAGES]

    assert [] == released.built()
    assert ["skipped"] * 8 == [jobs[f"stage/{name}"].result for jobs in results for name in ("release", "write")]
    assert before == released.git("rev-parse", "staging", at=released.hosted.server)


def test_tree_of_an_earlier_release_is_taken_from_the_registry(released):
    before = digests(released)
    released.run(released.merge(change(STAGE)))
    released.built()

    results = released.run(released.merge({f"{FOLDERS[STAGE]}/change.py": None}))

    assert "success" == results[STAGE]["stage/write"].result, said(results[STAGE])
    assert [] == released.built()
    assert before == digests(released)


def test_push_of_the_digest_starts_no_workflow_of_a_stage(released):
    written = Event("push", "refs/heads/staging", "0" * 40, ("argo-apps/base/batch/kustomization.yaml",))

    assert not [stage for stage in STAGES if triggered(released.workflow(stage), written)]


# Pull requests.


def test_pull_request_from_a_fork_is_built_and_tried_and_sees_no_secret(released):
    before = digests(released)
    fork = released.folder / "fork"
    released.git("clone", "--quiet", str(released.hosted.server), str(fork), at=released.folder)
    (fork / FOLDERS[STAGE] / "evil.py").write_text('"""Look around."""\n')
    released.git("add", "--all", at=fork)
    released.git("-c", "user.name=eve", "-c", "user.email=eve@example.org", "commit", "--quiet", "-m", "x", at=fork)
    event = Event("pull_request", "refs/pull/7/merge", released.git("rev-parse", "HEAD", at=fork),
                  (f"{FOLDERS[STAGE]}/evil.py",), "staging", fork)

    results = released.run(event)

    assert "success" == results[STAGE]["stage/try"].result, said(results[STAGE])
    assert [STAGE] == released.built()
    steps = [step for job in results[STAGE].values() for step in job.steps]
    assert len(steps) > 5
    assert not [step.name for step in steps if any(one in str([step.environment, step.output]) for one in SECRETS)]
    assert [] == [call for call in released.calls("docker push") if STAGE in call][1:]
    assert before == digests(released)


def test_secrets_do_reach_the_jobs_that_need_them(first):
    """Else the test above would see none in vain."""
    jobs = first[2][STAGE]

    assert "canary-of-the-registry" in str([step.environment for step in jobs["stage/release"].steps])
    assert not [job for job in jobs.values() if any(secret in job.said for secret in SECRETS)]


@pytest.mark.parametrize("words", ["$(touch {canary})", "`touch {canary}`", '"; touch {canary} #'])
def test_branch_and_title_that_are_commands_stay_text(released, words):
    canary = released.folder / "canary"
    hostile = words.format(canary=canary)
    event = replace(released.pull_request(), head_branch=hostile, title=hostile)
    tried = replace(event, base="staging", changed=(f"{FOLDERS[STAGE]}/x.py",))

    results = released.run(tried)
    promotion = released.promote(event)

    assert "success" == results[STAGE]["stage/test"].result, said(results[STAGE])
    assert "success" == promotion.result, promotion.said
    assert not canary.exists()


# What goes wrong.


def test_failing_image_test_pushes_nothing_and_writes_nothing(released):
    before = digests(released)
    released.calls("docker push")

    jobs = released.run(released.merge(change(STAGE, "BROKEN")))[STAGE]

    assert ("failure", "skipped") == (jobs["stage/release"].result, jobs["stage/write"].result)
    assert "it is broken" in jobs["stage/release"].said
    assert [] == released.calls("docker push")
    assert before == digests(released)


def test_failing_lint_builds_nothing(released):
    jobs = released.run(released.merge({f"{FOLDERS[STAGE]}/ugly.py": "import os\n"}))[STAGE]

    assert ("failure", "skipped") == (jobs["stage/test"].result, jobs["stage/release"].result)
    assert [] == released.built()


@pytest.mark.parametrize("refuses, expected", [("full", "the registry is full"), ("denied", "does not allow it")])
def test_registry_that_refuses_stops_with_advice_and_a_later_run_succeeds(released, refuses, expected):
    before = digests(released)
    released.registry.refuses = refuses

    jobs = released.run(released.merge(change(STAGE)))[STAGE]

    assert ("failure", "skipped") == (jobs["stage/release"].result, jobs["stage/write"].result)
    assert expected in jobs["stage/release"].said and "run the same again" in jobs["stage/release"].said
    assert before == digests(released)
    released.registry.refuses = ""
    assert "success" == released.again(STAGE)["stage/write"].result
    assert in_registry(released) == digests(released) != before


@pytest.mark.parametrize("where, builds_again", [
    ("before build", True), ("after build", True), ("before run", True), ("before push", True), ("after push", False),
    ("before sign", False), ("after sign", False),
])
def test_cancelled_run_is_simply_run_again(released, where, builds_again):
    before = digests(released)
    cancelled = cancelled_run(released, released.merge(change(STAGE)), where)
    assert "success" != cancelled["stage/release"].result
    assert before == digests(released)
    released.built()

    jobs = released.again(STAGE)

    assert "success" == jobs["stage/write"].result, said(jobs)
    assert builds_again == (released.built() == [STAGE])
    assert in_registry(released) == digests(released) != before


def cancelled_run(made: Trial, event: Event, where: str) -> dict[str, Job]:
    """Run a stage's workflow and end it, as the hosted side does, while a program hangs at `where`."""
    hangs, results = made.folder / "hangs", {}
    made.hosted.environment["TRIAL_HANG"] = where
    running = threading.Thread(target=lambda: results.update(run_workflow(made.hosted, made.workflow(STAGE), event)))
    running.start()
    deadline = time.monotonic() + HANG_SECONDS
    while not hangs.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert hangs.exists(), f"nothing hung {where}"
    cancel(made.hosted)
    running.join()
    made.hosted.environment["TRIAL_HANG"], made.hosted.cancelled = "", False
    return results


def test_same_run_twice_at_once_writes_one_digest(released):
    event = released.merge(change(STAGE))
    results: list[dict[str, Job]] = []
    twice = [threading.Thread(target=lambda: results.append(run_workflow(
        released.hosted, released.workflow(STAGE), event))) for _ in range(2)]
    for one in twice:
        one.start()
    for one in twice:
        one.join()

    assert ["success"] * 2 == [jobs["stage/write"].result for jobs in results], said(results[0]) + said(results[1])
    assert in_registry(released) == digests(released)


def test_older_run_that_ends_last_does_not_bring_back_the_older_image(released):
    older = released.merge(change(STAGE))
    newer = released.run(released.merge(change(STAGE, "second.py")))[STAGE]
    after = digests(released)

    late = run_workflow(released.hosted, released.workflow(STAGE), older)

    assert "success" == newer["stage/write"].result == late["stage/write"].result
    assert "superseded" in late["stage/write"].said
    assert after == digests(released)


# Promotion.


def test_promotion_changes_no_digest_and_builds_nothing(released):
    checked = released.promote(released.pull_request())
    released.git("checkout", "--quiet", "-B", "main", "origin/main")
    released.git("merge", "--quiet", "--no-ff", "--message", "Promote", "origin/staging")
    released.git("push", "--quiet", "origin", "main")
    event = Event("push", "refs/heads/main", released.git("rev-parse", "HEAD"), ("sentinel/__init__.py",))
    merged = released.promote(event)

    assert "success" == checked.result == merged.result, checked.said + merged.said
    assert 4 == merged.said.count("tried and signed")
    assert digests(released) == digests(released, "main")
    assert {} == released.run(event)
    assert [] == released.built()


def test_unsigned_digest_is_not_promoted(released):
    for signature in Path(released.hosted.environment["TRIAL_SIGNATURES"]).iterdir():
        if signature.name == digests(released)[STAGE]:
            signature.unlink()

    promotion = released.promote(released.pull_request())

    assert "failure" == promotion.result
    assert f"{STAGE}: " in promotion.said and "is not signed by our workflow" in promotion.said
    assert 1 == promotion.said.count("  - ")
    assert "run the workflow data-fetch on staging" in promotion.said


def test_image_signed_by_another_workflow_is_not_promoted(released):
    [signature] = [path for path in Path(released.hosted.environment["TRIAL_SIGNATURES"]).iterdir()
                   if path.name == digests(released)[STAGE]]
    signature.write_text(signature.read_text().replace("stage.yml@refs/heads/staging", "stage.yml@refs/heads/eve"))

    assert "is not signed by our workflow" in released.promote(released.pull_request()).said


def test_promotion_while_an_image_is_still_being_built_waits(released):
    released.merge(change(STAGE))

    promotion = released.promote(released.pull_request())

    assert "failure" == promotion.result
    assert "data-fetch: the digest is of tree" in promotion.said


def test_pull_request_to_main_from_elsewhere_is_refused(released):
    released.git("checkout", "--quiet", "-B", "hotfix", "origin/main")
    (released.laptop / "README").write_text("quick\n")
    released.git("add", "README")
    released.git("commit", "--quiet", "--message", "Quick")
    released.git("push", "--quiet", "origin", "hotfix")

    promotion = released.promote(released.pull_request("hotfix"))

    assert "failure" == promotion.result
    assert "is not on the branch staging" in promotion.said


def test_squashed_promotion_is_told_after_the_merge_and_refused_next_time(released):
    released.git("fetch", "--quiet", "origin")
    released.git("checkout", "--quiet", "-B", "main", "origin/main")
    released.git("merge", "--quiet", "--squash", "origin/staging")
    released.git("commit", "--quiet", "--message", "Squashed")
    released.git("push", "--quiet", "origin", "main")
    merged = released.promote(Event("push", "refs/heads/main", released.git("rev-parse", "HEAD")))
    released.run(released.merge(change(STAGE)))
    again = released.promote(released.pull_request())

    assert "was it squashed" in merged.said
    assert "failure" == again.result and "merge main into staging" in again.said
