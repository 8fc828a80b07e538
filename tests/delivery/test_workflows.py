"""The trial of the workflows: their own steps, run in order, against a registry and a Git server of this machine.

Stood in for are Docker, cosign, and the tests of the stages and of the images; `make test-workflows` runs this.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from tests.delivery.delivering import STAGE, change, digests, in_registry, said
from tests.delivery.hosted import FOLDERS, SECRETS, STAGES
from tests.delivery.workflow_runner import Event, run_workflow, triggered

pytestmark = pytest.mark.long_workflows

# What a merge does.


def test_change_in_one_stage_builds_that_stage_alone_and_its_digest_lands_on_staging(delivered):
    before = digests(delivered)

    results = delivered.run(delivered.merge(change("ml-training")))

    assert ["ml-training"] == list(results)
    assert ["ml-training"] == delivered.built()
    assert {"ml-training"} == {stage for stage in STAGES if before[stage] != digests(delivered)[stage]}
    assert in_registry(delivered) == digests(delivered)


def test_four_releases_at_once_all_end_written(first_delivery):
    """The four workflows run at the same time and push to one branch, three of them into one file."""
    made, _, results = first_delivery

    assert ["success"] * 4 == [jobs["stage/write"].result for jobs in results.values()]
    assert sorted(STAGES) == made.built()
    assert None not in digests(made).values()
    assert in_registry(made) == digests(made)
    assert 8 == len(made.hosted.attested)  # where it was built and what is in it, of each
    assert "4" == made.git("rev-list", "--count", "--author", "sentinel delivery", "staging", at=made.hosted.server)


def test_two_merges_at_once_end_in_both_digests(delivered):
    """The second is merged before the first one's workflow begins, so that both write on what neither has seen."""
    before = digests(delivered)
    merges = [delivered.merge(change("data-fetch")), delivered.merge(change("ml-training"))]

    with ThreadPoolExecutor(len(merges)) as pool:
        results = {stage: jobs for done in pool.map(delivered.run, merges) for stage, jobs in done.items()}

    assert ["success"] * 2 == [results[stage]["stage/write"].result for stage in ("data-fetch", "ml-training")]
    assert {"data-fetch", "ml-training"} == {stage for stage in STAGES if before[stage] != digests(delivered)[stage]}
    assert in_registry(delivered) == digests(delivered)


def test_newer_base_image_becomes_a_commit_that_starts_all_four(delivered):
    folder = delivered.folder / "skopeo"
    folder.mkdir()
    (folder / "skopeo").write_text("#!/bin/sh\nprintf manifest\n")
    (folder / "skopeo").chmod(0o755)
    delivered.hosted.environment["PATH"] = f"{folder}:{delivered.hosted.environment['PATH']}"
    delivered.merge({f"{path}/Dockerfile": "ARG BASE=python:3.11-slim\nFROM scratch\n" for path in FOLDERS.values()})
    event = Event("schedule", "refs/heads/main", delivered.git("rev-parse", "origin/main"))

    first, second = (run_workflow(delivered.hosted, delivered.workflow("base-image"), event)["update"]
                     for _ in range(2))

    assert triggered(delivered.workflow("base-image"), event)
    assert ("success", "success") == (first.result, second.result), first.said + second.said
    assert "newer base" in first.said and "the base is the newest" in second.said
    delivered.git("fetch", "--quiet", "origin")
    changed = delivered.git("diff", "--name-only", "origin/staging~", "origin/staging").splitlines()
    pushed = Event("push", "refs/heads/staging", delivered.git("rev-parse", "origin/staging"), tuple(changed))
    assert sorted(f"{path}/Dockerfile" for path in FOLDERS.values()) == sorted(changed)
    assert list(STAGES) == [stage for stage in STAGES if triggered(delivered.workflow(stage), pushed)]


def test_same_tree_twice_builds_nothing_and_writes_nothing(delivered):
    before = delivered.git("rev-parse", "staging", at=delivered.hosted.server)

    results = [delivered.again(stage) for stage in STAGES]

    assert [] == delivered.built()
    assert ["skipped"] * 8 == [jobs[f"stage/{name}"].result for jobs in results for name in ("release", "write")]
    assert before == delivered.git("rev-parse", "staging", at=delivered.hosted.server)


def test_tree_of_an_earlier_release_is_taken_from_the_registry(delivered):
    before = digests(delivered)
    delivered.run(delivered.merge(change(STAGE)))
    delivered.built()

    results = delivered.run(delivered.merge({f"{FOLDERS[STAGE]}/change.py": None}))

    assert "success" == results[STAGE]["stage/write"].result, said(results[STAGE])
    assert [] == delivered.built()
    assert before == digests(delivered)


def test_push_of_the_digest_starts_no_workflow_of_a_stage(delivered):
    written = Event("push", "refs/heads/staging", "0" * 40, ("argo-apps/base/batch/kustomization.yaml",))

    assert not [stage for stage in STAGES if triggered(delivered.workflow(stage), written)]


# Pull requests.


def test_pull_request_from_a_fork_is_built_and_tried_and_sees_no_secret(delivered):
    before = digests(delivered)
    fork = delivered.folder / "fork"
    delivered.git("clone", "--quiet", str(delivered.hosted.server), str(fork), at=delivered.folder)
    (fork / FOLDERS[STAGE] / "evil.py").write_text('"""Look around."""\n')
    delivered.git("add", "--all", at=fork)
    delivered.git("-c", "user.name=eve", "-c", "user.email=eve@example.org", "commit", "--quiet", "-m", "x", at=fork)
    event = Event("pull_request", "refs/pull/7/merge", delivered.git("rev-parse", "HEAD", at=fork),
                  (f"{FOLDERS[STAGE]}/evil.py",), "staging", fork)

    results = delivered.run(event)

    assert "success" == results[STAGE]["stage/try"].result, said(results[STAGE])
    assert [STAGE] == delivered.built()
    steps = [step for job in results[STAGE].values() for step in job.steps]
    assert len(steps) > 5
    assert not [step.name for step in steps if any(one in str([step.environment, step.output]) for one in SECRETS)]
    assert [] == [call for call in delivered.calls("docker push") if STAGE in call][1:]
    assert before == digests(delivered)


def test_secrets_do_reach_the_jobs_that_need_them(first_delivery):
    """Else the test above would see none in vain."""
    jobs = first_delivery[2][STAGE]

    assert "canary-of-the-registry" in str([step.environment for step in jobs["stage/release"].steps])
    assert not [job for job in jobs.values() if any(secret in job.said for secret in SECRETS)]


@pytest.mark.parametrize("words", ["$(touch {canary})", "`touch {canary}`", '"; touch {canary} #'])
def test_branch_and_title_that_are_commands_stay_text(delivered, words):
    canary = delivered.folder / "canary"
    hostile = words.format(canary=canary)
    event = replace(delivered.pull_request(), head_branch=hostile, title=hostile)
    tried = replace(event, base="staging", changed=(f"{FOLDERS[STAGE]}/x.py",))

    results = delivered.run(tried)
    promotion = delivered.promote(event)
    by_hand = run_workflow(delivered.hosted, delivered.workflow(STAGE),
                           Event("workflow_dispatch", f"refs/heads/{hostile}", event.sha))

    assert "success" == results[STAGE]["stage/test"].result, said(results[STAGE])
    assert "success" == promotion.result, promotion.said
    assert ["success", "skipped", "skipped"] == [by_hand[f"stage/{name}"].result
                                                 for name in ("test", "release", "write")], said(by_hand)
    assert not canary.exists()


@pytest.mark.parametrize("branch", ["$(touch${IFS}canary)", "`touch${IFS}canary`", "x;touch${IFS}canary;'\"&|>canary"])
def test_branch_whose_name_really_is_a_command_is_tested_and_not_promoted(delivered, branch):
    """Git allows these names on the server too."""
    delivered.git("checkout", "--quiet", "-B", branch, "origin/staging")
    (delivered.laptop / FOLDERS[STAGE] / "x.py").write_text('"""Change."""\n')
    delivered.git("add", "--all")
    delivered.git("commit", "--quiet", "--message", "$(touch canary)")
    delivered.git("push", "--quiet", "origin", f"HEAD:refs/heads/{branch}")
    event = delivered.pull_request("HEAD", head_branch=branch, title=branch)

    tried = delivered.run(replace(event, base="staging", changed=(f"{FOLDERS[STAGE]}/x.py",)))
    promotion = delivered.promote(event)
    by_hand = run_workflow(delivered.hosted, delivered.workflow(STAGE),
                           Event("workflow_dispatch", f"refs/heads/{branch}", event.sha))

    assert "success" == tried[STAGE]["stage/try"].result, said(tried[STAGE])
    assert "failure" == promotion.result
    assert "is not on the branch staging" in promotion.said and "merge it there first" in promotion.said
    assert ("success", "skipped") == (by_hand["stage/test"].result, by_hand["stage/write"].result), said(by_hand)
    assert [] == list(delivered.folder.rglob("canary*"))


# Promotion.


def test_promotion_changes_no_digest_and_builds_nothing(delivered):
    checked = delivered.promote(delivered.pull_request())
    delivered.git("checkout", "--quiet", "-B", "main", "origin/main")
    delivered.git("merge", "--quiet", "--no-ff", "--message", "Promote", "origin/staging")
    delivered.git("push", "--quiet", "origin", "main")
    event = Event("push", "refs/heads/main", delivered.git("rev-parse", "HEAD"), ("sentinel/__init__.py",))
    merged = delivered.promote(event)

    assert "success" == checked.result == merged.result, checked.said + merged.said
    assert 4 == merged.said.count("tried and signed")
    assert digests(delivered) == digests(delivered, "main")
    assert {} == delivered.run(event)
    assert [] == delivered.built()


def test_unsigned_digest_is_not_promoted(delivered):
    for signature in Path(delivered.hosted.environment["TRIAL_SIGNATURES"]).iterdir():
        if signature.name == digests(delivered)[STAGE]:
            signature.unlink()

    promotion = delivered.promote(delivered.pull_request())

    assert "failure" == promotion.result
    assert f"{STAGE}: " in promotion.said and "is not signed by our workflow" in promotion.said
    assert 1 == promotion.said.count("  - ")
    assert "run the workflow data-fetch on staging" in promotion.said


def test_image_signed_by_another_workflow_is_not_promoted(delivered):
    [signature] = [path for path in Path(delivered.hosted.environment["TRIAL_SIGNATURES"]).iterdir()
                   if path.name == digests(delivered)[STAGE]]
    signature.write_text(signature.read_text().replace("stage.yml@refs/heads/staging", "stage.yml@refs/heads/eve"))

    assert "is not signed by our workflow" in delivered.promote(delivered.pull_request()).said


def test_promotion_while_an_image_is_still_being_built_waits(delivered):
    delivered.merge(change(STAGE))

    promotion = delivered.promote(delivered.pull_request())

    assert "failure" == promotion.result
    assert "data-fetch: the digest is of tree" in promotion.said


def test_pull_request_to_main_from_elsewhere_is_refused(delivered):
    delivered.git("checkout", "--quiet", "-B", "hotfix", "origin/main")
    (delivered.laptop / "README").write_text("quick\n")
    delivered.git("add", "README")
    delivered.git("commit", "--quiet", "--message", "Quick")
    delivered.git("push", "--quiet", "origin", "hotfix")

    promotion = delivered.promote(delivered.pull_request("hotfix"))

    assert "failure" == promotion.result
    assert "is not on the branch staging" in promotion.said


def test_squashed_promotion_is_told_after_the_merge_and_refused_next_time(delivered):
    delivered.git("fetch", "--quiet", "origin")
    delivered.git("checkout", "--quiet", "-B", "main", "origin/main")
    delivered.git("merge", "--quiet", "--squash", "origin/staging")
    delivered.git("commit", "--quiet", "--message", "Squashed")
    delivered.git("push", "--quiet", "origin", "main")
    merged = delivered.promote(Event("push", "refs/heads/main", delivered.git("rev-parse", "HEAD")))
    delivered.run(delivered.merge(change(STAGE)))
    again = delivered.promote(delivered.pull_request())

    assert "was it squashed" in merged.said
    assert "failure" == again.result and "merge main into staging" in again.said
