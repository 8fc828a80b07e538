"""What goes wrong with a workflow writes nothing, and the same run again mends it; run by `make test-workflows`."""

import threading
import time
from pathlib import Path

import pytest

from tests.delivery.delivering import STAGE, change, digests, in_registry, said
from tests.delivery.hosted import FOLDERS, Trial
from tests.delivery.workflow_runner import Event, Job, cancel, run_workflow
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.long_workflows


def test_failing_image_test_pushes_nothing_and_writes_nothing(delivered):
    before = digests(delivered)
    delivered.calls("docker push")

    jobs = delivered.run(delivered.merge(change(STAGE, "BROKEN")))[STAGE]

    assert ("failure", "skipped") == (jobs["stage/release"].result, jobs["stage/write"].result)
    assert "it is broken" in jobs["stage/release"].said
    assert [] == delivered.calls("docker push")
    assert before == digests(delivered)


def test_failing_lint_builds_nothing(delivered):
    jobs = delivered.run(delivered.merge({f"{FOLDERS[STAGE]}/ugly.py": "import os\n"}))[STAGE]

    assert ("failure", "skipped") == (jobs["stage/test"].result, jobs["stage/release"].result)
    assert [] == delivered.built()


@pytest.mark.parametrize("refuses, expected", [("full", "the registry is full"), ("denied", "does not allow it")])
def test_registry_that_refuses_stops_with_advice_and_a_later_run_succeeds(delivered, refuses, expected):
    before = digests(delivered)
    delivered.registry.refuses = refuses

    jobs = delivered.run(delivered.merge(change(STAGE)))[STAGE]

    assert ("failure", "skipped") == (jobs["stage/release"].result, jobs["stage/write"].result)
    assert expected in jobs["stage/release"].said and "run the same again" in jobs["stage/release"].said
    assert before == digests(delivered)
    delivered.registry.refuses = ""
    assert "success" == delivered.again(STAGE)["stage/write"].result
    assert in_registry(delivered) == digests(delivered) != before


@pytest.mark.parametrize("where, builds_again", [
    ("before build", True), ("after build", True), ("before run", True), ("before push", True), ("after push", False),
    ("before sign", False), ("after sign", False),
])
def test_cancelled_run_is_simply_run_again(delivered, where, builds_again):
    before = digests(delivered)
    cancelled = cancelled_run(delivered, delivered.merge(change(STAGE)), where)
    assert "success" != cancelled["stage/release"].result
    assert before == digests(delivered)
    delivered.built()

    jobs = delivered.again(STAGE)

    assert "success" == jobs["stage/write"].result, said(jobs)
    assert builds_again == (delivered.built() == [STAGE])
    assert in_registry(delivered) == digests(delivered) != before


@pytest.mark.parametrize("when", ["pre-receive", "post-receive"])
def test_run_cancelled_while_it_pushes_the_digest_is_simply_run_again(delivered, when):
    """Before the server has it, or when it has it and did not say so yet; nothing of the run is left behind."""
    before = digests(delivered)
    event = delivered.merge(change(STAGE))
    hook, pid = delivered.hosted.server / "hooks" / when, delivered.folder / "pid"
    hook.write_text(f"#!/bin/sh\necho $$ > {pid}\ntouch {delivered.folder}/hangs\nexec sleep 1000\n")
    hook.chmod(0o755)
    cancelled = cancelled_run(delivered, event, "")
    assert ("success", "failure") == (cancelled["stage/release"].result, cancelled["stage/write"].result)
    assert (before == digests(delivered)) is (when == "pre-receive")
    assert not runs(pid.read_text().strip())
    hook.unlink()
    delivered.built()

    jobs = delivered.again(STAGE)

    assert "failure" not in {job.result for job in jobs.values()}, said(jobs)
    assert [] == delivered.built()
    assert in_registry(delivered) == digests(delivered) != before


def runs(pid: str) -> bool:
    """Tell whether a process still does something; one that ended has no command, until it is forgotten."""
    try:
        return bool(Path("/proc", pid, "cmdline").read_bytes())
    except OSError:
        return False


def cancelled_run(made: Trial, event: Event, where: str) -> dict[str, Job]:
    """Run a stage's workflow and end it, as the hosted side does, while a program hangs at `where`."""
    hangs, results = made.folder / "hangs", {}
    made.hosted.environment["TRIAL_HANG"] = where
    running = threading.Thread(target=lambda: results.update(run_workflow(made.hosted, made.workflow(STAGE), event)))
    running.start()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not hangs.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert hangs.exists(), f"nothing hung {where}"
    cancel(made.hosted)
    running.join()
    made.hosted.environment["TRIAL_HANG"], made.hosted.cancelled = "", False
    return results


def test_same_run_twice_at_once_writes_one_digest(delivered):
    """Each may build an image of its own; whichever is written last, it was tried and signed."""
    before = digests(delivered)
    event = delivered.merge(change(STAGE))
    results: list[dict[str, Job]] = []
    twice = [threading.Thread(target=lambda: results.append(run_workflow(
        delivered.hosted, delivered.workflow(STAGE), event))) for _ in range(2)]
    for one in twice:
        one.start()
    for one in twice:
        one.join()

    assert ["success"] * 2 == [jobs["stage/write"].result for jobs in results], said(results[0]) + said(results[1])
    assert digests(delivered)[STAGE] in {jobs["stage/release"].outputs["digest"] for jobs in results} - {before[STAGE]}
    assert "success" == (promotion := delivered.promote(delivered.pull_request())).result, promotion.said


def test_older_run_that_ends_last_does_not_bring_back_the_older_image(delivered):
    older = delivered.merge(change(STAGE))
    newer = delivered.run(delivered.merge(change(STAGE, "second.py")))[STAGE]
    after = digests(delivered)

    late = run_workflow(delivered.hosted, delivered.workflow(STAGE), older)

    assert "success" == newer["stage/write"].result == late["stage/write"].result
    assert "superseded" in late["stage/write"].said
    assert after == digests(delivered)
