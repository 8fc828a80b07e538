"""Everything that the loop works with, and the steps that several tests share."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import botocore.config
import hvac

from delivery.write_digest import Release, write_release
from sentinel.pull_request import to_rest_json
from sentinel.sources.simulated import make_simulated_github
from tests.cluster.applications import applications_of, project_of
from tests.cluster.far_ends import github_with, mlflow_at, mongodb_at, read_repositories
from tests.cluster.git_server import GitServer
from tests.cluster.kubernetes import Kubernetes, is_ready, wait_until
from tests.cluster.report import Report
from tests.cluster.settings import TrialSettings

ROOT = Path(__file__).parents[2]
STAGES = ("data-fetch", "spark-preprocess", "ml-training", "model-serving")
NAMESPACES = {"staging": "sentinel", "production": "sentinel-production"}
BUILD_SECONDS, SYNC_SECONDS, ROLLOUT_SECONDS, EVICTION_SECONDS = 1_800.0, 180.0, 420.0, 240.0
GITHUB_TOKEN, API_TOKEN = "github_pat_trial_0123456789", "trial-api-token-0123456789"  # canaries, too
BUCKET = "sentinel"
PARTS = ("shared", "batch", "serving")


@dataclass
class Loop:
    """One trial: the cluster, the far ends and the Git server."""

    settings: TrialSettings
    kubernetes: Kubernetes
    git: GitServer
    report: Report
    addresses: Mapping[str, str]  # of MongoDB ("mongodb"), MLflow ("mlflow") and GitHub ("github")
    repositories: tuple[str, ...]
    pull_request: bytes  # a real one, as GitHub's JSON

    def release(self, *stages: str) -> dict[str, str]:
        """Build what the newest commit of the clone changed, push it, write the digests; return them by stage."""
        registry = ["--registry", self.settings.trial_registry, "--repository", str(self.git.clone)]
        _run_images("build", *stages, *registry, "--network", "host")
        digests = {}
        for line in _run_images("push", *stages, *registry).splitlines():
            stage, tag, digest = line.split()
            write_release(self.git.clone, Release(stage, tag, digest))
            digests[stage] = digest
        return digests

    def set_up_vault(self, environment: str) -> str:
        """Make policies and roles as an operator does, and write the stages' secrets; return what was said."""
        said = _run([sys.executable, "-m", "delivery.vault_setup", "--environment", environment,
                     "--namespace", NAMESPACES[environment]], self._operator(), 60)
        s3 = {"SENTINEL_S3_ACCESS_KEY": self.settings.trial_s3_access_key.get_secret_value(),
              "SENTINEL_S3_SECRET_KEY": self.settings.trial_s3_secret_key.get_secret_value()}
        mongodb = {"MONGODB_URI": self.addresses["mongodb"]}
        for stage, secret in {"data-fetch": mongodb | {"GITHUB_TOKEN": GITHUB_TOKEN}, "spark-preprocess": mongodb | s3,
                              "ml-training": s3, "model-serving": s3 | {"SENTINEL_API_TOKEN": API_TOKEN}}.items():
            self.write_secret(environment, stage, secret)
        return said

    def write_secret(self, environment: str, stage: str, secret: Mapping[str, str]) -> None:
        """Write a stage's whole secret."""
        self.vault().secrets.kv.v2.create_or_update_secret(f"sentinel/{environment}/{stage}", dict(secret))

    def vault(self) -> hvac.Client:
        """Return Vault as an operator sees it."""
        return hvac.Client(self.settings.trial_vault_addr, token=self.settings.trial_vault_token.get_secret_value())

    def unseal_vault(self) -> None:
        """Bring Vault back that was sealed."""
        key = self.settings.trial_vault_unseal_key
        self.vault().sys.submit_unseal_key(key.get_secret_value() if key else None)

    def install(self, environment: str) -> None:
        """Give Argo CD the environment's AppProject and Applications."""
        namespace = NAMESPACES[environment]
        self.kubernetes.apply(project_of(ROOT, environment, self.git.url, namespace))
        self.kubernetes.apply(*applications_of(ROOT, environment, self.git.url, namespace, self._settings(environment)))

    def wait_for_sync(self, commit: str, namespace: str, parts: tuple[str, ...] = PARTS) -> float:
        """Wait until Argo CD applied a commit; return how many seconds it took."""
        def is_synced() -> bool:
            return all(_is_synced(self.application(namespace, part), commit) for part in parts)

        return wait_until(f"Argo CD synced {commit[:9]}", is_synced, SYNC_SECONDS,
                          lambda: "\n".join(_words_of(self.application(namespace, part)) for part in parts))

    def application(self, namespace: str, part: str) -> dict[str, Any]:
        """Return the Application of one part."""
        return self.kubernetes.get("application", f"{namespace}-{part}", "argocd")

    def rollout(self, namespace: str) -> dict[str, Any]:
        """Return the scorer's Rollout, empty before it is there."""
        return self.kubernetes.get("rollout", "model-serving", namespace)

    def wait_for_phase(self, namespace: str, phase: str, digest: str) -> float:
        """Wait until the Rollout of an image is in a phase; return how many seconds it took."""
        def is_there() -> bool:
            rollout = self.rollout(namespace)
            return (_image_of(rollout).endswith(digest) and rollout.get("status", {}).get("phase") == phase
                    and rollout["status"].get("observedGeneration") == str(rollout["metadata"]["generation"]))

        return wait_until(f"the Rollout of {digest[:19]} is {phase}", is_there, ROLLOUT_SECONDS,
                          lambda: self.describe_rollout(namespace))

    def describe_rollout(self, namespace: str) -> str:
        """Return what can be seen of the Rollout, for whoever reads why a step failed."""
        status = self.rollout(namespace).get("status", {})
        return json.dumps({name: status.get(name) for name in ("phase", "message", "pauseConditions")}) + "\n" + (
            self.kubernetes.run("get", "pods,analysisruns,jobs", "-n", namespace, "-o", "wide"))

    def promote(self, namespace: str) -> None:
        """Let the preview take over, as a person does."""
        _run(["kubectl-argo-rollouts", "promote", "model-serving", "-n", namespace], {}, 60)

    def active_digests(self, namespace: str) -> set[str]:
        """Return the images of the pods behind the active Service."""
        return {one["spec"]["containers"][0]["image"].partition("@")[2] for one in self._active_pods(namespace)}

    def evict_active_scorers(self, namespace: str) -> float:
        """Evict the pods behind the active Service, each as soon as the disruption budget allows; return seconds."""
        before = {one["metadata"]["name"] for one in self._active_pods(namespace)}
        seconds = 0.0
        for name in sorted(before):
            seconds += wait_until(f"{name} may go", partial(self.kubernetes.evict, name, namespace), EVICTION_SECONDS)
        return seconds + wait_until("as many others are ready", lambda: len(before) == len(
            [one for one in self._active_pods(namespace) if is_ready(one) and one["metadata"]["name"] not in before]),
            EVICTION_SECONDS)

    def _active_pods(self, namespace: str) -> list[dict[str, Any]]:
        selector = self.kubernetes.get("service", "model-serving-active", namespace)["spec"]["selector"]
        chosen = ",".join(f"{name}={value}" for name, value in selector.items())
        return [one for one in self.kubernetes.list("pods", namespace, chosen)
                if "deletionTimestamp" not in one["metadata"]]

    def active_url(self, namespace: str) -> str:
        """Return the address of the active Service."""
        service = self.kubernetes.get("service", "model-serving-active", namespace)["spec"]
        return f"http://{service['clusterIP']}:{service['ports'][0]['port']}"

    def _settings(self, environment: str) -> dict[str, dict[str, str]]:
        shared = {"VAULT_ADDR": self.settings.trial_vault_addr, "SENTINEL_VAULT_ALLOW_HTTP": "true"}
        store = {"SENTINEL_OBJECT_STORE_URI": f"s3://{BUCKET}/{environment}",
                 "SENTINEL_S3_ENDPOINT": self.settings.trial_s3_endpoint, "SENTINEL_S3_REGION": "us-east-1"}
        mlflow = {"MLFLOW_TRACKING_URI": self.addresses["mlflow"]}
        return {
            "data-fetch-settings": {**shared, "SENTINEL_GITHUB_API_URL": self.addresses["github"],
                                    "SENTINEL_REPOSITORIES": "\n".join(self.repositories),
                                    "SENTINEL_MONGODB_DATABASE": environment},
            "spark-preprocess-settings": {**shared, **store, "SENTINEL_MONGODB_DATABASE": environment},
            "ml-training-settings": {**shared, **store, **mlflow, "SENTINEL_MODEL_NAME": f"trial-{environment}"},
            "model-serving-settings": {**shared, **store, **mlflow, "SENTINEL_MODEL_NAME": f"trial-{environment}",
                                       "SENTINEL_REFRESH_SECONDS": "20"},
        }

    def _operator(self) -> dict[str, str]:
        return {"VAULT_ADDR": self.settings.trial_vault_addr,
                "VAULT_TOKEN": self.settings.trial_vault_token.get_secret_value(), "SENTINEL_VAULT_ALLOW_HTTP": "true"}


def open_loop(settings: TrialSettings, folder: Path, stack: ExitStack) -> Loop:
    """Start the far ends and the Git server; `stack` ends them."""
    _refuse_what_is_left(Kubernetes())
    repositories: list[Any] = list(read_repositories(settings.trial_data, settings.trial_pull_requests))
    repositories = repositories or list(make_simulated_github(GITHUB_TOKEN).repositories.values())
    host = settings.trial_address
    starting: dict[str, AbstractContextManager[str]] = {
        "github": github_with(repositories, GITHUB_TOKEN, host), "mongodb": mongodb_at(host, folder / "mongodb"),
        "mlflow": mlflow_at(host, folder / "mlflow")}
    addresses = {name: stack.enter_context(context) for name, context in starting.items()}
    _make_bucket(settings)
    return Loop(settings, Kubernetes(), GitServer(folder, ROOT), Report(ROOT / settings.trial_report), addresses,
                tuple(one.name for one in repositories), _last_pull_request(repositories))


def _refuse_what_is_left(kubernetes: Kubernetes) -> None:
    """Fail where an earlier trial left something: Argo CD would wait for ever for a namespace that is going away."""
    left = [name for name in NAMESPACES.values()
            if kubernetes.run("get", "namespace", name, "--ignore-not-found").strip()]
    if left:
        raise AssertionError(
            f"the trial cluster has the namespaces {left}, from an earlier trial; first remove it: kubectl delete "
            f"applications,appprojects -n argocd -l app.kubernetes.io/part-of=sentinel && kubectl delete namespace "
            + " ".join(left))


def _make_bucket(settings: TrialSettings) -> None:
    client = boto3.client(
        "s3", endpoint_url=settings.trial_s3_endpoint, region_name="us-east-1",
        aws_access_key_id=settings.trial_s3_access_key.get_secret_value(),
        aws_secret_access_key=settings.trial_s3_secret_key.get_secret_value(),
        config=botocore.config.Config(connect_timeout=3, read_timeout=20, s3={"addressing_style": "path"}))
    if BUCKET not in {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}:
        client.create_bucket(Bucket=BUCKET)


def _last_pull_request(repositories: list[Any]) -> bytes:
    records, _ = repositories[0].page("CREATED_AT", True, None, 1)
    return json.dumps(to_rest_json(records[0])).encode()


def _run_images(*arguments: str) -> str:
    return _run([sys.executable, "-m", "delivery.images", *arguments], {}, BUILD_SECONDS)


def _run(command: list[str], environment: Mapping[str, str], seconds: float) -> str:
    done = subprocess.run(command, cwd=ROOT, env=os.environ | environment, text=True, capture_output=True,
                          timeout=seconds)
    if done.returncode:
        raise AssertionError(f"{' '.join(command)}:\n{done.stdout}{done.stderr}")
    return done.stdout


def _is_synced(application: Mapping[str, Any], commit: str) -> bool:
    sync = application.get("status", {}).get("sync", {})
    return sync.get("status") == "Synced" and sync.get("revision") == commit


def _words_of(application: Mapping[str, Any]) -> str:
    status = application.get("status", {})
    return json.dumps({"sync": status.get("sync", {}).get("status"), "revision": status.get("sync", {}).get("revision"),
                       "conditions": status.get("conditions"),
                       "operation": status.get("operationState", {}).get("message")})


def _image_of(rollout: Mapping[str, Any]) -> str:
    return str(rollout["spec"]["template"]["spec"]["containers"][0]["image"]) if rollout else ""
