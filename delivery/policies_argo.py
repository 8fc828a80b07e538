"""Rules for Argo CD: what it may bring, from where, when it tries again, and the traps that it has."""

import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from delivery.policies_seen import STAGES, Rule, Seen, pods, title
from delivery.render import ENVIRONMENTS, Manifest

IMAGE = re.compile(r"registry\.digitalocean\.com/sentinel/([a-z-]+):([0-9a-f]{12,64})@sha256:[0-9a-f]{64}")
PULL_SECRET = "registry-sentinel"  # as `doctl kubernetes cluster registry add` names it
NAMESPACE = "sentinel"
RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn", "audit")}
FIXED_VERSION = re.compile(r"v1\.[0-9]+")
RIGHTS = frozenset({"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"})
OPTIONS = frozenset({"CreateNamespace=true", "ApplyOutOfSyncOnly=true", "FailOnSharedResource=true"})
TRAPS = ("argocd.argoproj.io/hook", "argocd.argoproj.io/sync-wave", "argocd.argoproj.io/hook-delete-policy")
OPTIONAL_KINDS = frozenset({("autoscaling", "HorizontalPodAutoscaler")})  # of a component that a cluster may take


def images_by_digest(seen: Seen) -> Iterator[str]:
    """Every image is one of ours, by the tag of its tree and by its digest."""
    for pod in pods(seen):
        for container in pod.containers:
            found = IMAGE.fullmatch(container["image"])
            if found is None or found[1] not in STAGES:
                yield f"{pod}: {container['image']}"


def images_can_be_pulled(seen: Seen) -> Iterator[str]:
    """Every service account names the secret with which the platform lets it into the registry."""
    for account in seen.rendering.of_kind("ServiceAccount"):
        if account.get("imagePullSecrets") != [{"name": PULL_SECRET}]:
            yield f"{title(account)}: imagePullSecrets {account.get('imagePullSecrets')}, expected {PULL_SECRET}"


def no_rights_in_the_cluster(seen: Seen) -> Iterator[str]:
    """Nothing of ours has rights in the cluster itself."""
    yield from (title(one) for one in seen.rendering.all_objects() if one["kind"] in RIGHTS)


def no_traps(seen: Seen) -> Iterator[str]:
    """Nothing that makes a sync wait, a Job run for ever, or an object be replaced."""
    for one in seen.rendering.all_objects():
        annotations = one["metadata"].get("annotations", {})
        found = [name for name in TRAPS if name in annotations]
        options = annotations.get("argocd.argoproj.io/sync-options", "")
        found += [option for option in ("Replace=true", "Force=true", "PruneLast=true", "Validate=false")
                  if option in options]
        found += ["generateName"] if "generateName" in one["metadata"] else []
        found += ["a Job without a schedule"] if one["kind"] == "Job" else []
        found += ["ttlSecondsAfterFinished"] if "ttlSecondsAfterFinished" in str(one.get("spec", "")) else []
        yield from (f"{title(one)}: {trap}" for trap in found)


def synced_by_itself(seen: Seen) -> Iterator[str]:
    """Git is what runs: what is gone there is removed, drift is undone, and an empty folder empties nothing."""
    for application in seen.rendering.applications.values():
        automated = application["spec"]["syncPolicy"].get("automated")
        if automated != {"prune": True, "selfHeal": True, "allowEmpty": False}:
            yield f"{title(application)}: automated {automated}"


def mended_commit_overtakes(seen: Seen) -> Iterator[str]:
    """A failed sync is tried again with the newest commit, and nothing keeps a sync open."""
    for application in seen.rendering.applications.values():
        policy = application["spec"]["syncPolicy"]
        retry = policy.get("retry", {})
        if retry.get("refresh") is not True or not 1 <= retry.get("limit", 0) <= 5:
            yield f"{title(application)}: retry {retry}"
        if set(policy.get("syncOptions", [])) != OPTIONS:
            yield f"{title(application)}: syncOptions {policy.get('syncOptions')}, expected {sorted(OPTIONS)}"


def namespace_is_restricted(seen: Seen) -> Iterator[str]:
    """Whichever Application comes first makes the namespace, with Pod Security as strict as it gets."""
    for application in seen.rendering.applications.values():
        labels = application["spec"]["syncPolicy"].get("managedNamespaceMetadata", {}).get("labels", {})
        version = labels.get("pod-security.kubernetes.io/enforce-version", "")
        if not RESTRICTED.items() <= labels.items() or not FIXED_VERSION.fullmatch(version):
            yield f"{title(application)}: labels of the namespace {labels}"


def from_our_branch_to_our_namespace(seen: Seen) -> Iterator[str]:
    """Every Application takes the environment's branch, to the one namespace, and asks the project."""
    project = seen.rendering.project["spec"]
    branch = ENVIRONMENTS[seen.rendering.environment]
    if project["destinations"] != [{"server": "https://kubernetes.default.svc", "namespace": NAMESPACE}]:
        yield f"the project's destinations: {project['destinations']}"
    for application in seen.rendering.applications.values():
        spec = application["spec"]
        if spec["source"]["targetRevision"] != branch or [spec["source"]["repoURL"]] != project["sourceRepos"]:
            yield f"{title(application)}: {spec['source']['repoURL']} {spec['source']['targetRevision']}"
        if spec["destination"] not in project["destinations"] or spec["project"] != "sentinel":
            yield f"{title(application)}: goes to {spec['destination']} for the project {spec['project']}"


def one_cannot_hold_up_the_other(seen: Seen) -> Iterator[str]:
    """The Rollout, the batch stages and what they stand on are brought by different Applications."""
    for kinds in (("Rollout", "CronJob"), ("Rollout", "NetworkPolicy"), ("CronJob", "NetworkPolicy")):
        for name, objects in seen.rendering.objects.items():
            if set(kinds) <= {one["kind"] for one in objects}:
                yield f"{name} brings {' and '.join(kinds)}"


def project_allows_just_these_kinds(seen: Seen) -> Iterator[str]:
    """The project allows what is rendered, and no Secret, no rights and no kind of the cluster but the namespace."""
    spec = seen.rendering.project["spec"]
    allowed = {(one["group"], one["kind"]) for one in spec["namespaceResourceWhitelist"]}
    rendered = {(_group(one), one["kind"]) for one in seen.rendering.all_objects()}
    for missing in sorted(rendered - allowed):
        yield f"the project does not allow {missing}"
    for extra in sorted(allowed - rendered - OPTIONAL_KINDS):
        yield f"the project allows {extra}, which nobody brings"
    if spec.get("clusterResourceWhitelist") != [{"group": "", "kind": "Namespace"}]:
        yield f"kinds of the cluster: {spec.get('clusterResourceWhitelist')}"


def releasers_only_release(seen: Seen) -> Iterator[str]:
    """The project's roles see, promote, abort and start a run, and change nothing else."""
    for role in seen.rendering.project["spec"].get("roles", []):
        for policy in role["policies"]:
            _, subject, _, action, which, effect = [word.strip() for word in policy.split(",")]
            kind, _, verb = action.rpartition("/")
            is_known = action == "get" or (kind, verb) in {
                ("action/argoproj.io/Rollout", "resume"), ("action/argoproj.io/Rollout", "abort"),
                ("action/argoproj.io/Rollout", "retry"), ("action/batch/CronJob", "create-job")}
            if not is_known or which != "sentinel/*" or effect != "allow" or \
                    subject != f"proj:sentinel:{role['name']}":
                yield f"role {role['name']}: {policy}"


def environments_are_twins(seen: Seen) -> Iterator[str]:
    """Production differs from staging in its branch, its addresses and the names that hold its own, and only there."""
    mine, theirs = _without_names(seen.rendering.environment, seen), _without_names(seen.twin.environment, seen)
    for name in sorted(mine.keys() | theirs.keys()):
        if mine.get(name) != theirs.get(name):
            yield f"{name} is another one in {seen.twin.environment}"


def _without_names(environment: str, seen: Seen) -> dict[str, Any]:
    """Return all objects with the environment's own words taken out."""
    rendering = seen.rendering if environment == seen.rendering.environment else seen.twin
    hashes = {one["metadata"]["name"]: one["metadata"]["name"].rpartition("-")[0]
              for one in rendering.of_kind("ConfigMap") if "-settings-" in one["metadata"]["name"]}
    found = {}
    for one in [rendering.project, *rendering.applications.values(), *rendering.all_objects()]:
        text = repr(_without_values(one))
        for name, plain in hashes.items():
            text = text.replace(name, plain)
        key = title(one) if one["kind"] != "ConfigMap" else f"ConfigMap {hashes.get(one['metadata']['name'])}"
        found[key] = text
    return found


def _without_values(manifest: Manifest) -> Manifest:
    plain = deepcopy(manifest)
    if plain["kind"] == "Application":
        for name in ("targetRevision", "kustomize"):
            plain["spec"]["source"].pop(name, None)
    elif plain["kind"] == "AppProject":
        plain["spec"].pop("description", None)
    elif plain["kind"] == "ConfigMap":
        plain["data"] = sorted(plain.get("data", {}))
    return plain


def _group(manifest: Manifest) -> str:
    return str(manifest["apiVersion"]).rpartition("/")[0]


RULES: tuple[Rule, ...] = (
    images_by_digest, images_can_be_pulled, no_rights_in_the_cluster, no_traps, synced_by_itself,
    mended_commit_overtakes,
    namespace_is_restricted, from_our_branch_to_our_namespace, one_cannot_hold_up_the_other,
    project_allows_just_these_kinds, releasers_only_release, environments_are_twins,
)
