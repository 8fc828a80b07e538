"""The Applications of an environment as the repository has them, with the addresses of the trial."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from delivery.render import read_manifest

Manifest = dict[str, Any]
# A trial node has two cores: what is asked for is less than what production reserves; all limits stay.
SMALL_REQUESTS = [
    {"target": {"kind": "Rollout"}, "patch": json.dumps([
        {"op": "replace", "path": "/spec/template/spec/containers/0/resources/requests/cpu", "value": "50m"}])},
    {"target": {"kind": "AnalysisTemplate", "name": "model-serving-load-test"}, "patch": json.dumps([
        {"op": "replace", "value": "50m",
         "path": "/spec/metrics/0/provider/job/spec/template/spec/containers/0/resources/requests/cpu"}])},
]
# The trial starts the batch stages itself, one after the other.
SUSPENDED = [{"target": {"kind": "CronJob"}, "patch": json.dumps([
    {"op": "add", "path": "/spec/suspend", "value": True},
    {"op": "replace", "value": "100m",
     "path": "/spec/jobTemplate/spec/template/spec/containers/0/resources/requests/cpu"}])}]
TRIAL_PATCHES = {"argo-apps/base/serving": SMALL_REQUESTS, "argo-apps/base/batch": SUSPENDED}


def project_of(root: Path, environment: str, git_url: str, namespace: str) -> Manifest:
    """Return the AppProject, which takes nothing but the trial's Git server and namespace."""
    project = read_manifest(root / f"argo-apps/applications/{environment}/sentinel-app-project.yaml")
    project["metadata"]["name"] = namespace
    project["spec"]["sourceRepos"] = [git_url]
    project["spec"]["destinations"] = [{"server": "https://kubernetes.default.svc", "namespace": namespace}]
    project["spec"].pop("roles", None)
    return project


def applications_of(root: Path, environment: str, git_url: str, namespace: str,
                    settings: Mapping[str, Mapping[str, str]]) -> list[Manifest]:
    """Return the Applications, with `settings` by the name of the ConfigMap in the place of the example's."""
    folder = root / "argo-apps/applications" / environment
    found = [read_manifest(path) for path in sorted(folder.glob("*-application.yaml"))]
    for application in found:
        spec = application["spec"]
        application["metadata"]["name"] = application["metadata"]["name"].replace("sentinel", namespace, 1)
        spec["project"] = spec["destination"]["namespace"] = namespace
        spec["source"]["repoURL"] = git_url
        patches = spec["source"].get("kustomize", {}).get("patches", [])
        for patch in patches:
            patch["patch"] = _with_settings(patch["patch"], settings)
        patches.extend(TRIAL_PATCHES.get(spec["source"]["path"], []))
    return found


def _with_settings(patch: str, settings: Mapping[str, Mapping[str, str]]) -> str:
    document = YAML(typ="safe", pure=True).load(patch)
    if isinstance(document, dict) and document.get("kind") == "ConfigMap":
        document["data"] |= settings.get(document["metadata"]["name"], {})
        return json.dumps(document)
    return patch
