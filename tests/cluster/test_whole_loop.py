"""From a merge to production and back, on a real cluster; the steps build on one another: `make cluster-test`."""

import json
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import httpx2 as httpx
import pytest

from delivery.write_digest import Release, read_release, write_release
from sentinel.settings import load_settings
from tests.cluster.kubernetes import wait_until
from tests.cluster.loop import API_TOKEN, GITHUB_TOKEN, NAMESPACES, STAGES, Loop, open_loop
from tests.cluster.settings import TrialSettings
from tests.cluster.steady_client import SteadyClient

pytestmark = pytest.mark.cluster
STAGING, PRODUCTION = NAMESPACES["staging"], NAMESPACES["production"]
JOB_SECONDS, REQUESTS_PER_SECOND, LEAST_REQUESTS = 900.0, 40.0, 20_000
TOKEN_SECONDS = 600.0  # the shortest life that Kubernetes gives a token
LEEWAY_SECONDS = 60.0  # for so long after its end the API server still takes one
BROKEN_ANSWER = '''

def verdict_json(*_: Any) -> dict[str, Any]:
    """Fail on every pull request, while the page and the probes are fine."""
    raise RuntimeError("broken on purpose by the trial")
'''


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loop]:
    """Run the far ends for as long as the loop goes on."""
    with ExitStack() as stack:
        yield open_loop(load_settings(TrialSettings), tmp_path_factory.mktemp("trial"), stack)


@pytest.fixture(scope="module")
def client(loop: Loop) -> Iterator[SteadyClient]:
    """Ask the active scorer from its first day to the last."""
    client = SteadyClient(f"{loop.active_url(STAGING)}/score", loop.pull_request, API_TOKEN, REQUESTS_PER_SECOND)
    client.start()
    yield client
    client.stop()


def test_operator_sets_up_vault_twice_and_the_second_time_changes_nothing(loop: Loop) -> None:
    """Policies and roles are there, for each stage its own."""
    with loop.report.step("Vault: policies, roles and secrets of staging") as seen:
        first, second = loop.set_up_vault("staging"), loop.set_up_vault("staging")
        changed = [line for line in second.splitlines() if line.startswith(("made", "changed"))]
        seen.append(f"{len(first.splitlines())} things, {len(changed)} changed by the second run")
    assert changed == []


def test_argo_cd_syncs_the_branch_staging(loop: Loop) -> None:
    """The four images are built and pushed, their digests are in Git, and the objects are there."""
    with loop.report.step("build and push four images") as seen:
        digests = loop.release(*STAGES)
        seen.append(", ".join(f"{stage} {digest[7:19]}" for stage, digest in digests.items()))
    with loop.report.step("merge into staging → Argo CD synced") as seen:
        commit = loop.git.commit("Release the four stages")
        loop.install("staging")
        seen.append(f"synced after {loop.wait_for_sync(commit, STAGING):.0f} s")
    assert {one["metadata"]["name"] for one in loop.kubernetes.list("cronjobs", STAGING)} == set(STAGES[:3])


@pytest.fixture(scope="module")
def old_token(loop: Loop) -> tuple[str, float]:
    """Return a token of data-fetch that nobody renews, and when by our clock it has expired."""
    token = loop.kubernetes.run("create", "token", "data-fetch", "-n", STAGING, "--audience", "vault",
                                "--duration", f"{TOKEN_SECONDS:.0f}s").strip()
    return token, time.monotonic() + TOKEN_SECONDS


@pytest.mark.usefixtures("old_token")
def test_three_stages_complete_in_the_order_of_the_data(loop: Loop) -> None:
    """Real pull requests become features, and features a champion; asked again, nothing is left to do."""
    for stage in STAGES[:3]:
        with loop.report.step(f"Job {stage}") as seen:
            job = loop.kubernetes.run_job(stage, f"{stage}-first", STAGING, JOB_SECONDS)
            facts = {name: value for name, value in job.closing_line.items() if isinstance(value, int | str)}
            seen.append(json.dumps({name: facts[name] for name in sorted(facts)[:14]}))
            assert job.is_complete and job.exit_code == 0, job.log
            assert GITHUB_TOKEN not in job.log and "cluster-secret" not in job.log
    with loop.report.step("the three Jobs again: nothing new") as seen:
        again = [loop.kubernetes.run_job(stage, f"{stage}-again", STAGING, JOB_SECONDS) for stage in STAGES[:3]]
        seen.append(f"exit codes {[job.exit_code for job in again]}, trained {again[2].closing_line.get('trained')}")
    assert all(job.is_complete for job in again) and again[2].closing_line["trained"] is False


def test_scorer_serves_once_there_is_a_champion(loop: Loop) -> None:
    """The first version needs no person: nothing runs that it could replace."""
    digest = _digest_of(loop)
    with loop.report.step("Rollout healthy on the first champion") as seen:
        seen.append(f"after {loop.wait_for_phase(STAGING, 'Healthy', digest):.0f} s")
        seen.append(f"model {_model_version(loop)}")
    assert loop.active_digests(STAGING) == {digest}


def test_new_version_is_tried_and_takes_over_when_a_person_promotes(loop: Loop, client: SteadyClient) -> None:
    """The preview passes the load test, waits, and after the promotion answers everything."""
    before = _digest_of(loop)
    with loop.report.step("merge a new scorer → preview, Locust as analysis, paused") as seen:
        after = _release_scorer(loop, "model_serving/words.py", "\n# Changed by the trial.\n", "Change the scorer")
        seen.append(f"paused after {loop.wait_for_phase(STAGING, 'Paused', after):.0f} s")
        wait_until("the analysis passed", lambda: "Successful" in _analyses(loop), 300,
                   lambda: loop.describe_rollout(STAGING))
        seen.append(f"analysis {_analyses(loop)[-1]}")
        assert loop.active_digests(STAGING) == {before}
    with loop.report.step("promotion by a person") as seen:
        loop.promote(STAGING)
        seen.append(f"active after {wait_until('active', lambda: loop.active_digests(STAGING) == {after}, 300):.0f} s")
        loop.wait_for_phase(STAGING, "Healthy", after)
        seen.append(client.summary())
    assert client.n_failures == 0, client.failures


def test_version_that_fails_its_analysis_never_becomes_active(loop: Loop, client: SteadyClient) -> None:
    """The Rollout is aborted, Git's revert brings it back, and nobody notices."""
    good = _digest_of(loop)
    with loop.report.step("merge a scorer that fails on every request → aborted") as seen:
        bad = _release_scorer(loop, "model_serving/answers.py", BROKEN_ANSWER, "Break the scorer")
        seen.append(f"degraded after {loop.wait_for_phase(STAGING, 'Degraded', bad):.0f} s")
        seen.append(f"analysis {_analyses(loop)[-1]}")
        assert loop.active_digests(STAGING) == {good} and bad != good
    with loop.report.step("revert in Git → healthy again") as seen:
        loop.git.revert("HEAD", "HEAD~2")
        seen.append(f"after {loop.wait_for_phase(STAGING, 'Healthy', good):.0f} s; {client.summary()}")
    assert client.n_failures == 0, client.failures


def test_digest_that_does_not_exist_leaves_what_runs(loop: Loop, client: SteadyClient) -> None:
    """The preview cannot start and says why; the active version goes on."""
    good, missing = _digest_of(loop), f"sha256:{uuid4().hex * 2}"
    with loop.report.step("a digest that no registry has") as seen:
        write_release(loop.git.clone, Release("model-serving", "0" * 40, missing))
        loop.git.commit("Release what does not exist")
        wait_until("the kubelet says so", lambda: "ImagePull" in _pod_states(loop), 240,
                   lambda: loop.describe_rollout(STAGING))
        seen.append(_pod_states(loop))
        assert loop.active_digests(STAGING) == {good}
        loop.git.revert("HEAD")
        seen.append(f"healthy {loop.wait_for_phase(STAGING, 'Healthy', good):.0f} s after the revert")
    assert client.n_failures == 0, client.failures


def test_manifest_with_a_typo_is_refused_and_mended_by_the_next_commit(loop: Loop, client: SteadyClient) -> None:
    """Argo CD tells what is wrong, and applies nothing."""
    rollout = loop.git.clone / "argo-apps/base/serving/model-serving-rollout.yaml"
    with loop.report.step("a manifest with a typo") as seen:
        rollout.write_text(rollout.read_text().replace("activeService:", "activeServce:"))
        loop.git.commit("Mistype the active Service")
        wait_until("Argo CD tells", lambda: "activeServ" in _sync_words(loop), 120, lambda: _sync_words(loop))
        seen.append(_sync_words(loop)[:300].replace("|", "/"))
        commit = loop.git.revert("HEAD")
        seen.append(f"synced {loop.wait_for_sync(commit, STAGING, ('serving',)):.0f} s after the revert")
    assert client.n_failures == 0, client.failures


def test_bad_model_never_becomes_champion(loop: Loop, client: SteadyClient) -> None:
    """A model that floods people with alerts is registered as a challenger, and the scorer keeps the champion."""
    before = _model_version(loop)
    with loop.report.step("train a model that flags four in ten") as seen:
        job = loop.kubernetes.run_job("ml-training", "ml-training-bad", STAGING, JOB_SECONDS,
                                      {"SENTINEL_THRESHOLD_RULE": "alert_budget", "SENTINEL_ALERT_BUDGET": "0.4"})
        seen.append(f"{job.closing_line.get('alias')}: {job.closing_line.get('gate')}")
    assert job.is_complete and job.closing_line["alias"] == "challenger", job.log
    assert _model_version(loop) == before and client.n_failures == 0


@pytest.mark.parametrize(("what", "environment", "exit_code", "words"), [
    ("a wrong role", {"VAULT_ROLE": "sentinel-staging-ml-training"}, 2, "VAULT_ROLE"),
    ("another stage's secret", {"VAULT_SECRET_PATH": "secret/data/sentinel/staging/ml-training"}, 2, "polic"),
    ("a secret that is not there", {"VAULT_SECRET_PATH": "secret/data/sentinel/staging/no"}, 2, "VAULT_SECRET_PATH"),
    ("no token file", {"VAULT_TOKEN_PATH": "/var/run/secrets/vault/nothing"}, 2, "/var/run/secrets/vault/nothing"),
    ("no Vault there", {"VAULT_ADDR": "http://10.200.0.1:9", "SENTINEL_VAULT_BUDGET_SECONDS": "5"}, 75, "10.200.0.1:9"),
])
def test_job_without_its_secrets_stops_and_says_what_to_do(
        loop: Loop, what: str, environment: dict[str, str], exit_code: int, words: str) -> None:
    """Codes for a person to correct are not tried again; the others are."""
    if exit_code == 75:
        environment = environment | {"SENTINEL_FULL": "true"}
    with loop.report.step(f"data-fetch with {what}") as seen:
        job = loop.kubernetes.run_job("data-fetch", f"data-fetch-{uuid4().hex[:6]}", STAGING, JOB_SECONDS, environment)
        seen.append(f"exit {job.exit_code} in {job.n_pods} pods: {job.closing_line.get('text', '')[:200]}")
    assert (job.is_complete, job.exit_code) == (False, exit_code), job.log
    assert words in job.log


def test_expired_token_is_told(loop: Loop, old_token: tuple[str, float]) -> None:
    """A token that the kubelet no longer renews stops the job; the text says so, and does not show it."""
    token, expires = old_token
    with loop.report.step("data-fetch with an expired token") as seen:
        wait_until("the token has expired", lambda: time.monotonic() > expires + LEEWAY_SECONDS + 1,
                   TOKEN_SECONDS + LEEWAY_SECONDS + 2)
        job = loop.kubernetes.run_job("data-fetch", "data-fetch-expired", STAGING, JOB_SECONDS, token=token)
        seen.append(f"exit {job.exit_code} in {job.n_pods} pods: {job.closing_line.get('text', '')[:200]}")
    assert (job.is_complete, job.exit_code, job.n_pods) == (False, 2, 1), job.log
    assert re.search(r"expired at .* UTC", job.log) and token not in job.log


def test_sealed_vault_is_waited_for_and_the_scorer_answers_on(loop: Loop, client: SteadyClient) -> None:
    """The first pod ends with 75 and says what to do; once Vault is unsealed, the next one does the work."""
    if loop.settings.trial_vault_unseal_key is None:
        pytest.skip("needs SENTINEL_TRIAL_VAULT_UNSEAL_KEY")
    with loop.report.step("Vault sealed when data-fetch starts, then unsealed") as seen:
        loop.vault().sys.seal()
        try:
            loop.kubernetes.start_job("data-fetch", "data-fetch-sealed", STAGING,
                                      {"SENTINEL_VAULT_BUDGET_SECONDS": "5"})
            wait_until("the first pod gave up", lambda: _exit_codes(loop, "data-fetch-sealed"), 120)
            first = loop.kubernetes.finished_job("data-fetch-sealed", STAGING)
            seen.append(f"exit {first.exit_code}: {first.closing_line.get('text', '')[:200]}")
        finally:
            loop.unseal_vault()
        job = loop.kubernetes.wait_for_job("data-fetch-sealed", STAGING, JOB_SECONDS)
        seen.append(f"exit codes {_exit_codes(loop, 'data-fetch-sealed')}; {client.summary()}")
    assert first.exit_code == 75 and "it is sealed" in first.log
    assert job.is_complete and client.n_failures == 0, client.failures


def test_missing_secret_key_is_named(loop: Loop) -> None:
    """The key is named, and no value is."""
    with loop.report.step("a secret without MONGODB_URI") as seen:
        loop.write_secret("staging", "data-fetch", {"GITHUB_TOKEN": GITHUB_TOKEN})
        job = loop.kubernetes.run_job("data-fetch", "data-fetch-no-key", STAGING, JOB_SECONDS)
        seen.append(f"exit {job.exit_code}: {job.closing_line.get('text', '')[:200]}")
        loop.set_up_vault("staging")
    assert job.exit_code == 2 and "MONGODB_URI" in job.log and GITHUB_TOKEN not in job.log


def test_promotion_brings_the_same_digests_to_production(loop: Loop) -> None:
    """Merging staging into main changes no digest; production runs what staging tried."""
    with loop.report.step("promotion: staging merged into main → production synced and serving") as seen:
        loop.set_up_vault("production")
        commit = loop.git.merge_into_main()
        assert loop.git.tree_of("main", "argo-apps/base") == loop.git.tree_of("staging", "argo-apps/base")
        loop.install("production")
        seen.append(f"synced after {loop.wait_for_sync(commit, PRODUCTION):.0f} s")
        for stage in STAGES[:3]:
            assert loop.kubernetes.run_job(stage, f"{stage}-first", PRODUCTION, JOB_SECONDS).is_complete
        seen.append(f"healthy after {loop.wait_for_phase(PRODUCTION, 'Healthy', _digest_of(loop)):.0f} s")
        pods = loop.kubernetes.list("pods", PRODUCTION)
        running = {pod["metadata"]["labels"]["app.kubernetes.io/name"]: pod["spec"]["containers"][0]["image"]
                   for pod in pods}
        seen.append(f"{len(running)} stages ran the digests of staging")
    for stage in STAGES:
        release = read_release(loop.git.clone, stage)
        assert release is not None and running[stage].endswith(release.digest)


def test_evicted_scorers_are_replaced_and_nobody_notices(loop: Loop, client: SteadyClient) -> None:
    """What `kubectl drain` asks for each pod; the disruption budget lets one go at a time."""
    with loop.report.step("both active scorers evicted, as a drained node would") as seen:
        seen.append(f"replaced after {loop.evict_active_scorers(STAGING):.0f} s; {client.summary()}")
    assert client.n_failures == 0, client.failures


def test_steady_client_saw_no_failure(loop: Loop, client: SteadyClient) -> None:
    """Over all of it, at least 20,000 requests and none failed."""
    with loop.report.step("the steady client, over all of it") as seen:
        wait_until("enough requests", lambda: client.n_requests >= LEAST_REQUESTS, 900)
        seen.append(client.summary())
    assert client.n_failures == 0, client.failures


def _release_scorer(loop: Loop, path: str, appended: str, subject: str) -> str:
    """Commit a change of the scorer, build and push it, commit its digest; return the digest."""
    changed = Path(loop.git.clone, path)
    changed.write_text(changed.read_text() + appended)
    loop.git.commit(subject)
    digest = loop.release("model-serving")["model-serving"]
    loop.git.commit(f"Release: {subject}")
    return digest


def _digest_of(loop: Loop) -> str:
    release = read_release(loop.git.clone, "model-serving")
    assert release is not None
    return release.digest


def _model_version(loop: Loop) -> str:
    answer = httpx.get(f"{loop.active_url(STAGING)}/model", timeout=10)
    return str(answer.json()["model_version"])


def _analyses(loop: Loop) -> list[str]:
    """Return the phases of the analyses, the latest last."""
    runs = loop.kubernetes.list("analysisruns", STAGING)
    runs.sort(key=lambda run: run["metadata"]["creationTimestamp"])
    return [str(run.get("status", {}).get("phase", "")) for run in runs]


def _exit_codes(loop: Loop, job: str) -> list[int]:
    """Return how the pods of a job ended, those that did."""
    states = [status.get("state", {}).get("terminated") for pod in loop.kubernetes.pods_of(job, STAGING)
              for status in pod["status"].get("containerStatuses", ())]
    return [state["exitCode"] for state in states if state]


def _pod_states(loop: Loop) -> str:
    """Return why the scorer's pods wait."""
    pods = loop.kubernetes.list("pods", STAGING, "app.kubernetes.io/name=model-serving")
    states = [status.get("state", {}).get("waiting", {})
              for pod in pods for status in pod["status"].get("containerStatuses", ())]
    return "; ".join(f"{state['reason']}: {state.get('message', '')[:160]}" for state in states if state)


def _sync_words(loop: Loop) -> str:
    """Return what Argo CD says of the scorer's Application."""
    status = loop.application(STAGING, "serving").get("status", {})
    results = status.get("operationState", {}).get("syncResult", {}).get("resources", ())
    return json.dumps([status.get("conditions"), status.get("operationState", {}).get("message"),
                       [one.get("message") for one in results]])
