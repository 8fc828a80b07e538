"""Each rule for the manifests, broken once: `python -m tests.delivery.mutations` prints which rule tells.

A mutation is the smallest change of the rendered objects that a careless commit could bring. It is made in both
environments, unless it is about their difference.
"""

import sys
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

from delivery.policies import broken_rules
from delivery.policies_seen import Seen
from delivery.render import Manifest, Rendering
from tests.delivery.code_facts import seen

Change = Callable[[Rendering], None]
CONTAINER = "spec/template/spec/containers/0"
CRON = "spec/jobTemplate/spec"
CRON_CONTAINER = f"{CRON}/template/spec/containers/0"
BLUE_GREEN = "spec/strategy/blueGreen"
JOB = "spec/metrics/0/provider/job/spec"
SYNC = "spec/syncPolicy"
DIGEST = "sha256:" + "1" * 64


@dataclass(frozen=True)
class Mutation:
    """One rule, how it is broken, and the change that does it."""

    rule: str
    words: str
    change: Change
    only_here: bool = False  # not in the other environment

    def __str__(self) -> str:
        return f"{self.rule}: {self.words}"


def mutate(mutation: Mutation, environment: str = "staging") -> Seen:
    """Return an environment with the change."""
    whole = seen(environment)
    here, twin = deepcopy(whole.rendering), deepcopy(whole.twin)
    mutation.change(here)
    if not mutation.only_here:
        mutation.change(twin)
    return replace(whole, rendering=here, twin=twin)


def put(kind: str, name: str, path: str, value: Any) -> Change:
    """Set a field; the parts of `path` are divided by slashes, a number is a place in a list."""
    def change(rendering: Rendering) -> None:
        place, last = _walk(find(rendering, kind, name), path)
        place[last] = deepcopy(value)
    return change


def drop(kind: str, name: str, path: str) -> Change:
    """Remove a field or an element."""
    def change(rendering: Rendering) -> None:
        place, last = _walk(find(rendering, kind, name), path)
        del place[last]
    return change


def append(kind: str, name: str, path: str, value: Any) -> Change:
    """Add an element to a list."""
    def change(rendering: Rendering) -> None:
        place, last = _walk(find(rendering, kind, name), path)
        place[last].append(deepcopy(value))
    return change


def remove(kind: str, name: str) -> Change:
    """Remove an object."""
    def change(rendering: Rendering) -> None:
        gone = find(rendering, kind, name)
        for application, objects in list(rendering.objects.items()):
            rendering.objects[application] = tuple(one for one in objects if one is not gone)
    return change


def add(application: str, manifest: Manifest) -> Change:
    """Add an object to what an Application brings."""
    def change(rendering: Rendering) -> None:
        whole = {"metadata": {"name": "new", "namespace": "sentinel", "labels": {
            "app.kubernetes.io/name": "new", "app.kubernetes.io/part-of": "sentinel"}}, **deepcopy(manifest)}
        rendering.objects[application] = (*rendering.objects[application], whole)
    return change


def move(kind: str, name: str, application: str) -> Change:
    """Let another Application bring an object."""
    def change(rendering: Rendering) -> None:
        moved = find(rendering, kind, name)
        remove(kind, name)(rendering)
        rendering.objects[application] = (*rendering.objects[application], moved)
    return change


def both(*changes: Change) -> Change:
    """Make several changes that are one step of a careless person."""
    def change(rendering: Rendering) -> None:
        for one in changes:
            one(rendering)
    return change


def find(rendering: Rendering, kind: str, name: str) -> Manifest:
    """Return an object; of a ConfigMap the name stands without its hash."""
    every = [rendering.project, *rendering.applications.values(), *rendering.all_objects()]
    found = [one for one in every if one["kind"] == kind and (
        one["metadata"]["name"] == name or kind == "ConfigMap" and one["metadata"]["name"].startswith(f"{name}-"))]
    if len(found) != 1:
        raise LookupError(f"seen {len(found)} objects {kind} {name}, expected one")
    return found[0]


def _walk(manifest: Manifest, path: str) -> tuple[Any, Any]:
    *steps, last = [int(part) if part.isdecimal() else part.replace("~", "/") for part in path.split("/")]
    place: Any = manifest
    for step in steps:
        place = place[step]
    return place, last


SCORER = ("Rollout", "model-serving")
FETCH = ("CronJob", "data-fetch")
SPARK = ("CronJob", "spark-preprocess")
TEST = ("AnalysisTemplate", "model-serving-load-test")
SMOKE = ("AnalysisTemplate", "model-serving-smoke")
SERVING = ("Application", "sentinel-serving")
PROJECT = ("AppProject", "sentinel")
FETCH_NETWORK = ("NetworkPolicy", "data-fetch")
FETCH_SETTINGS = ("ConfigMap", "data-fetch-settings")
SCORER_SETTINGS = ("ConfigMap", "model-serving-settings")
PROMETHEUS = {"name": "errors", "count": 1, "initialDelay": "60s", "successCondition": "result[0] < 0.01",
              "failureCondition": "result[0] >= 0.01", "consecutiveErrorLimit": 3,
              "provider": {"prometheus": {"address": "http://prometheus", "query": "up"}}}

MUTATIONS = (
    # Argo CD
    Mutation("images by digest", "a tag without a digest",
             put(*FETCH, f"{CRON_CONTAINER}/image", "registry.digitalocean.com/sentinel/data-fetch:" + "1" * 40)),
    Mutation("images by digest", "another registry",
             put(*FETCH, f"{CRON_CONTAINER}/image", f"docker.io/sentinel/data-fetch:{'1' * 40}@{DIGEST}")),
    Mutation("images can be pulled", "an account that the registry does not know",
             drop("ServiceAccount", "data-fetch", "imagePullSecrets")),
    Mutation("no rights in the cluster", "a role for the scorer, allowed by the project", both(
        add("sentinel-shared", {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "rules": []}),
        append(*PROJECT, "spec/namespaceResourceWhitelist", {"group": "rbac.authorization.k8s.io", "kind": "Role"}))),
    Mutation("no traps", "training as a hook of the sync",
             put(*FETCH, "metadata/annotations", {"argocd.argoproj.io/hook": "PostSync"})),
    Mutation("no traps", "the Rollout in a later wave",
             put(*SCORER, "metadata/annotations", {"argocd.argoproj.io/sync-wave": "1"})),
    Mutation("no traps", "finished runs with a time to live",
             put(*FETCH, f"{CRON}/ttlSecondsAfterFinished", 3600)),
    Mutation("no traps", "an object that is replaced, not changed",
             put(*SCORER, "metadata/annotations", {"argocd.argoproj.io/sync-options": "Replace=true"})),
    Mutation("synced by itself", "drift stays", put(*SERVING, f"{SYNC}/automated/selfHeal", False)),
    Mutation("synced by itself", "an empty folder empties the namespace",
             put(*SERVING, f"{SYNC}/automated/allowEmpty", True)),
    Mutation("mended commit overtakes", "the failed commit is tried to the end",
             drop(*SERVING, f"{SYNC}/retry/refresh")),
    Mutation("mended commit overtakes", "pruning waits for the Rollout",
             append(*SERVING, f"{SYNC}/syncOptions", "PruneLast=true")),
    Mutation("namespace is restricted", "Pod Security less strict",
             put(*SERVING, f"{SYNC}/managedNamespaceMetadata/labels/pod-security.kubernetes.io~enforce", "baseline")),
    Mutation("from our branch to our namespace", "whatever the default branch is",
             put(*SERVING, "spec/source/targetRevision", "HEAD")),
    Mutation("from our branch to our namespace", "into another namespace",
             put(*SERVING, "spec/destination/namespace", "default")),
    Mutation("one cannot hold up the other", "Rollout and CronJobs in one Application",
             move(*SCORER, "sentinel-batch")),
    Mutation("project allows just these kinds", "Secrets are allowed",
             append(*PROJECT, "spec/namespaceResourceWhitelist", {"group": "", "kind": "Secret"})),
    Mutation("project allows just these kinds", "a kind is forgotten",
             drop(*PROJECT, "spec/namespaceResourceWhitelist/0")),
    Mutation("project allows just these kinds", "any kind of the cluster",
             put(*PROJECT, "spec/clusterResourceWhitelist", [{"group": "*", "kind": "*"}])),
    Mutation("releasers only release", "who promotes may also delete",
             append(*PROJECT, "spec/roles/1/policies",
                    "p, proj:sentinel:releaser, applications, delete, sentinel/*, allow")),
    Mutation("environments are twins", "staging with one scorer more", put(*SCORER, "spec/replicas", 3), True),
    Mutation("environments are twins", "a setting that only staging has",
             put(*SCORER_SETTINGS, "data/SENTINEL_MAX_BATCH", "100"), True),
    # The batch stages
    Mutation("one run at a time", "runs may overlap", put(*FETCH, "spec/concurrencyPolicy", "Allow")),
    Mutation("one run at a time", "the node's own clock", drop(*FETCH, "spec/timeZone")),
    Mutation("finished runs are kept", "failed runs disappear", put(*FETCH, "spec/failedJobsHistoryLimit", 0)),
    Mutation("jobs end", "no deadline", drop(*FETCH, f"{CRON}/activeDeadlineSeconds")),
    Mutation("jobs end", "a deadline below the budget of GitHub", put(*FETCH, f"{CRON}/activeDeadlineSeconds", 3600)),
    Mutation("exit codes decide", "wrong settings are tried again",
             put(*FETCH, f"{CRON}/podFailurePolicy/rules/1/onExitCodes/values", [1, 65])),
    Mutation("exit codes decide", "a name that no container has",
             put(*FETCH, f"{CRON}/podFailurePolicy/rules/1/onExitCodes/containerName", "fetch")),
    Mutation("exit codes decide", "a drained node fails the run", drop(*FETCH, f"{CRON}/podFailurePolicy/rules/0")),
    Mutation("heap fits", "a heap as large as the memory",
             put("ConfigMap", "spark-preprocess-settings", "data/SENTINEL_SPARK_DRIVER_MEMORY", "3g")),
    # The Rollout
    Mutation("a person promotes", "it promotes itself", put(*SCORER, f"{BLUE_GREEN}/autoPromotionEnabled", True)),
    Mutation("tried before it takes over", "no load test before", both(
        drop(*SCORER, f"{BLUE_GREEN}/prePromotionAnalysis/templates/1"),
        drop(*SCORER, f"{BLUE_GREEN}/prePromotionAnalysis/args/3"),
        drop(*SCORER, f"{BLUE_GREEN}/prePromotionAnalysis/args/2"))),
    Mutation("tried before it takes over", "the old version is tried, not the new one",
             put(*SCORER, f"{BLUE_GREEN}/prePromotionAnalysis/args/0/value", "model-serving-active")),
    Mutation("tried after it took over", "the preview is measured after the promotion",
             put(*SCORER, f"{BLUE_GREEN}/postPromotionAnalysis/args/0/value", "model-serving-preview")),
    Mutation("old version stays long enough", "gone before the analysis ends",
             put(*SCORER, f"{BLUE_GREEN}/scaleDownDelaySeconds", 60)),
    Mutation("waiting is no failure", "given up when the first model is late",
             put(*SCORER, "spec/progressDeadlineAbort", True)),
    Mutation("rollback is quick", "every rollback is tried anew", drop(*SCORER, "spec/rollbackWindow")),
    Mutation("analyses wait for endpoints", "asked at once", drop(*TEST, "spec/metrics/0/initialDelay")),
    Mutation("analyses end", "a failed load test is tried again", put(*TEST, f"{JOB}/backoffLimit", 3)),
    Mutation("analyses end", "a deadline below its run time", put(*TEST, f"{JOB}/activeDeadlineSeconds", 60)),
    Mutation("analyses know bad from nothing", "an answer that is neither good nor bad",
             drop(*SMOKE, "spec/metrics/0/failureCondition")),
    Mutation("analyses know bad from nothing", "no traffic passes for good",
             append(*SMOKE, "spec/metrics", PROMETHEUS)),
    Mutation("analyses get their arguments", "an argument is forgotten",
             drop(*SCORER, f"{BLUE_GREEN}/postPromotionAnalysis/args/1")),
    Mutation("load test is no scorer", "a selector that its pods match too", both(
        put(*SCORER, "spec/selector/matchLabels", {"app.kubernetes.io/part-of": "sentinel"}),
        put("PodDisruptionBudget", "model-serving", "spec/selector/matchLabels",
            {"app.kubernetes.io/part-of": "sentinel"}))),
    Mutation("tested by its own build", "the load test has an image of its own",
             put(*TEST, f"{JOB}/template/spec/containers/0/image",
                 f"registry.digitalocean.com/sentinel/model-serving:{'1' * 40}@{DIGEST}")),
    Mutation("three probes", "a path that the scorer does not have",
             put(*SCORER, f"{CONTAINER}/startupProbe/httpGet/path", "/health")),
    Mutation("three probes", "readiness that is always true",
             put(*SCORER, f"{CONTAINER}/readinessProbe/httpGet/path", "/healthz")),
    Mutation("start may take its time", "restarted while it copies the champion",
             put(*SCORER, f"{CONTAINER}/startupProbe/failureThreshold", 5)),
    Mutation("drain fits", "no pause before it stops to listen", drop(*SCORER, f"{CONTAINER}/lifecycle")),
    Mutation("drain fits", "killed while it still answers",
             put(*SCORER, "spec/template/spec/terminationGracePeriodSeconds", 30)),
    Mutation("more than one scorer", "one scorer", put(*SCORER, "spec/replicas", 1)),
    Mutation("more than one scorer", "all on one node",
             drop(*SCORER, "spec/template/spec/topologySpreadConstraints")),
    Mutation("drained one by one", "two may go at once",
             put("PodDisruptionBudget", "model-serving", "spec/maxUnavailable", 2)),
    Mutation("services find the scorer", "a port that it does not have",
             put("Service", "model-serving-active", "spec/ports/0/targetPort", "web")),
    Mutation("services find the scorer", "open to the internet",
             put("Service", "model-serving-active", "spec/type", "LoadBalancer")),
    Mutation("controller owns the hash", "the hash of a colour in Git",
             put(*SCORER, "spec/template/metadata/labels/rollouts-pod-template-hash", "6f64d8f7f9")),
    # Pods
    Mutation("nothing of the host", "the host's network", put(*SCORER, "spec/template/spec/hostNetwork", True)),
    Mutation("not privileged", "a privileged container",
             put(*FETCH, f"{CRON_CONTAINER}/securityContext/privileged", True)),
    Mutation("no probe to another host", "a probe with a host",
             put(*SCORER, f"{CONTAINER}/livenessProbe/httpGet/host", "127.0.0.1")),
    Mutation("allowed volumes", "a folder of the node",
             append(*FETCH, f"{CRON}/template/spec/volumes", {"name": "host", "hostPath": {"path": "/etc"}})),
    Mutation("allowed volumes", "a Secret as a volume",
             append(*FETCH, f"{CRON}/template/spec/volumes", {"name": "token", "secret": {"secretName": "token"}})),
    Mutation("no more privileges", "privileges may grow",
             drop(*TEST, f"{JOB}/template/spec/containers/0/securityContext/allowPrivilegeEscalation")),
    Mutation("numeric user", "root", put(*FETCH, f"{CRON}/template/spec/securityContext/runAsUser", 0)),
    Mutation("seccomp profile", "no filter of system calls",
             drop(*FETCH, f"{CRON}/template/spec/securityContext/seccompProfile")),
    Mutation("no capabilities", "low ports",
             put(*SCORER, f"{CONTAINER}/securityContext/capabilities/add", ["NET_BIND_SERVICE"])),
    Mutation("read only root", "writes into its image",
             drop(*FETCH, f"{CRON_CONTAINER}/securityContext/readOnlyRootFilesystem")),
    Mutation("sized folders", "a folder without a limit",
             put(*FETCH, f"{CRON}/template/spec/volumes/0/emptyDir", {})),
    Mutation("sized folders", "no /tmp", drop(*FETCH, f"{CRON_CONTAINER}/volumeMounts/0")),
    Mutation("folders fit", "a folder larger than the disk",
             put(*FETCH, f"{CRON}/template/spec/volumes/0/emptyDir/sizeLimit", "8Gi")),
    Mutation("requests and limits", "no limit of memory", drop(*FETCH, f"{CRON_CONTAINER}/resources/limits/memory")),
    Mutation("canonical quantities", "memory in another spelling",
             put(*SCORER, f"{CONTAINER}/resources/requests/memory", "1024Mi")),
    Mutation("no token of the cluster", "a token for the API server",
             put("ServiceAccount", "data-fetch", "automountServiceAccountToken", True)),
    Mutation("no token of the cluster", "the addresses of all neighbours",
             drop(*SCORER, "spec/template/spec/enableServiceLinks")),
    Mutation("token for vault", "a token that lives for a day",
             put(*FETCH, f"{CRON}/template/spec/volumes/1/projected/sources/0/serviceAccountToken/expirationSeconds",
                 86_400)),
    Mutation("token for vault", "a token where nobody looks",
             put(*FETCH, f"{CRON_CONTAINER}/volumeMounts/1/mountPath", "/var/run/secrets/other")),
    Mutation("recommended labels", "an object of nobody",
             drop("ResourceQuota", "sentinel", "metadata/labels/app.kubernetes.io~part-of")),
    # The network
    Mutation("nothing is open by itself", "only what comes in is closed",
             put("NetworkPolicy", "default-deny", "spec/policyTypes", ["Ingress"])),
    Mutation("names are found", "names by UDP only", drop("NetworkPolicy", "dns", "spec/egress/0/ports/1")),
    Mutation("every pod has a policy", "a stage without a policy", remove("NetworkPolicy", "ml-training")),
    Mutation("every policy has a pod", "a label with a typo",
             put("NetworkPolicy", "model-load-test",
                 "spec/egress/0/to/0/podSelector/matchLabels/app.kubernetes.io~name", "model-servin")),
    Mutation("no open door", "a rule for everybody", put(*FETCH_NETWORK, "spec/egress/0/to", [])),
    Mutation("no open door", "the internet may reach private addresses",
             put(*FETCH_NETWORK, "spec/egress/1/to/0/ipBlock/except", ["169.254.0.0/16"])),
    Mutation("only what a stage needs", "fetching reaches MLflow",
             append(*FETCH_NETWORK, "spec/egress/0/ports", {"protocol": "TCP", "port": 5000})),
    Mutation("load test reaches the scorer", "the load test is locked out",
             drop("NetworkPolicy", "model-serving", "spec/ingress/0/from/1")),
    # Settings
    Mutation("variables are read", "a variable with a typo",
             put(*FETCH_SETTINGS, "data/SENTINEL_GITHUB_READER", "8")),
    Mutation("variables are there", "no tracking server",
             drop("ConfigMap", "ml-training-settings", "data/MLFLOW_TRACKING_URI")),
    Mutation("secrets come from vault", "a token as a variable",
             append(*FETCH, f"{CRON_CONTAINER}/env", {"name": "GITHUB_TOKEN", "value": "x"})),
    Mutation("secrets come from vault", "a password in an address",
             put(*FETCH_SETTINGS, "data/SENTINEL_PUSHGATEWAY_URL", "http://user:password@pushgateway:9091")),
    Mutation("vault by https", "Vault without TLS", put(*FETCH_SETTINGS, "data/SENTINEL_VAULT_ALLOW_HTTP", "true")),
    Mutation("vault by https", "the role of another stage",
             put(*FETCH_SETTINGS, "data/VAULT_ROLE", "sentinel-staging-ml-training")),
    Mutation("vault lets it in", "the secret of another stage",
             put(*FETCH_SETTINGS, "data/VAULT_SECRET_PATH", "secret/data/sentinel/staging/ml-training")),
    Mutation("vault lets it in", "the scorer under another name",
             put(*SCORER, "spec/template/spec/serviceAccountName", "ml-training")),
    Mutation("same settings name same things", "training reads where Spark does not write",
             put("ConfigMap", "ml-training-settings", "data/SENTINEL_OBJECT_STORE_URI", "s3://sentinel/other")),
    Mutation("scorer listens where it is asked", "it hears itself only",
             put(*SCORER_SETTINGS, "data/SENTINEL_HOST", "127.0.0.1")),
    Mutation("scorer listens where it is asked", "the champion where nothing can be written",
             put(*SCORER_SETTINGS, "data/SENTINEL_CHAMPION_FOLDER", "/app/champion")),
    Mutation("settings outlive their readers", "the old settings are pruned under running pods",
             drop(*SCORER_SETTINGS, "metadata/annotations/argocd.argoproj.io~sync-options")),
    Mutation("references lead somewhere", "a test that does not exist", append(
        *SCORER, f"{BLUE_GREEN}/prePromotionAnalysis/templates", {"templateName": "model-serving-check"})),
    Mutation("quota holds everything", "a quota below both colours",
             put("ResourceQuota", "sentinel", "spec/hard/limits.cpu", "4")),
)


def main() -> int:
    """Print the table: each mutation, and the rules that tell."""
    missed = 0
    for mutation in MUTATIONS:
        told = sorted(broken_rules(mutate(mutation)))
        missed += told != [mutation.rule]
        print(f"{'red' if told == [mutation.rule] else 'MISSED'}\t{mutation.rule}\t{mutation.words}"
              + ("" if told == [mutation.rule] else f"\ttold by {told}"))
    print(f"{len(MUTATIONS)} mutations, {missed} not told by exactly their rule")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
