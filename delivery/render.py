"""Render the manifests of an environment as its Argo CD Applications would.

    python -m delivery.render staging
    python -m delivery.render production --folder build/rendered

Each Application's inline patches are added to the kustomization at its path, then kustomize builds that.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from sentinel.errors import FixNeededError, NotFoundError, SentinelError

ENVIRONMENTS = {"staging": "staging", "production": "main"}  # and the branch that each of them follows
KUSTOMIZE = Path("build/bin/kustomize")
KUSTOMIZE_SECONDS = 60
POD_TEMPLATES = {
    "CronJob": ("jobTemplate", "spec", "template"),
    "Rollout": ("template",), "Deployment": ("template",), "StatefulSet": ("template",), "Job": ("template",),
}

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Rendering:
    """What runs in one environment: Argo CD's own objects, and what each Application brings."""

    environment: str
    project: Manifest
    applications: Mapping[str, Manifest]  # by name
    objects: dict[str, tuple[Manifest, ...]]  # by the name of the Application

    def all_objects(self) -> Iterator[Manifest]:
        """Yield what all Applications bring."""
        for objects in self.objects.values():
            yield from objects

    def of_kind(self, kind: str) -> list[Manifest]:
        """Return the rendered objects of one kind."""
        return [one for one in self.all_objects() if one["kind"] == kind]


def render(root: Path, environment: str, kustomize: Path | None = None) -> Rendering:
    """Render one environment of the checkout `root`; raises FixNeededError with what kustomize said."""
    folder = root / "argo-apps/applications" / environment
    documents = [read_manifest(path) for path in sorted(folder.rglob("*.yaml"))]
    projects = [one for one in documents if one["kind"] == "AppProject"]
    applications = {one["metadata"]["name"]: one for one in documents if one["kind"] == "Application"}
    if len(projects) != 1 or not applications:
        raise NotFoundError(f"argo-apps/applications/{environment}: seen {len(projects)} AppProjects and "
                            f"{len(applications)} Applications, expected one and at least one")
    objects = {name: render_application(root, application, kustomize) for name, application in applications.items()}
    return Rendering(environment, projects[0], applications, objects)


def render_application(root: Path, application: Manifest, kustomize: Path | None = None) -> tuple[Manifest, ...]:
    """Return what one Application would apply, in its namespace."""
    source = application["spec"]["source"]
    with tempfile.TemporaryDirectory(prefix="sentinel-render-") as folder:
        copied = Path(folder, "argo-apps")
        shutil.copytree(root / "argo-apps", copied)
        path = Path(folder, source["path"])
        _add_patches(path / "kustomization.yaml", source.get("kustomize", {}))
        objects = build(path, kustomize or root / KUSTOMIZE)
    for one in objects:
        one["metadata"].setdefault("namespace", application["spec"]["destination"]["namespace"])
    return objects


def build(folder: Path, kustomize: Path) -> tuple[Manifest, ...]:
    """Return what kustomize makes of a folder; raises FixNeededError with what it said."""
    if not kustomize.exists():
        raise NotFoundError(f"{kustomize} is not there; make it with `make {KUSTOMIZE}`")
    done = subprocess.run([kustomize, "build", folder], capture_output=True, text=True, timeout=KUSTOMIZE_SECONDS)
    if done.returncode != 0:
        raise FixNeededError(f"kustomize cannot build {folder.name}: {done.stderr.strip()}")
    return tuple(_yaml().load_all(done.stdout))


def pod_templates(manifest: Manifest) -> list[Manifest]:
    """Return the pod templates of one object: of a workload one, of an AnalysisTemplate one per job."""
    if manifest["kind"] == "AnalysisTemplate":
        jobs = [metric["provider"]["job"] for metric in manifest["spec"]["metrics"] if "job" in metric["provider"]]
        return [job["spec"]["template"] for job in jobs]
    steps = POD_TEMPLATES.get(manifest["kind"])
    if steps is None:
        return []
    template = manifest["spec"]
    for step in steps:
        template = template[step]
    return [template]


def as_core_kinds(manifest: Manifest) -> list[Manifest]:
    """Return what checkers that know only Kubernetes' own kinds can read: a Rollout as a Deployment, and so on.

    They skip a Rollout without a word, and its pods with it.
    """
    if manifest["kind"] == "Rollout":
        spec = {name: value for name, value in manifest["spec"].items() if name in ("replicas", "selector", "template")}
        return [{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": manifest["metadata"], "spec": spec}]
    if manifest["kind"] == "AnalysisTemplate":
        jobs = [metric["provider"]["job"] for metric in manifest["spec"]["metrics"] if "job" in metric["provider"]]
        return [{"apiVersion": "batch/v1", "kind": "Job", "metadata": manifest["metadata"], "spec": job["spec"]}
                for job in jobs]
    return [manifest]


def read_manifest(path: Path) -> Manifest:
    """Read a file of one object."""
    return dict(_yaml().load(path))


def _add_patches(kustomization: Path, options: Mapping[str, Any]) -> None:
    """Do what Argo CD does with an Application's `source.kustomize`; raises FixNeededError for what is unknown."""
    unknown = sorted(set(options) - {"patches", "components"})
    if unknown:
        raise FixNeededError(f"spec.source.kustomize has {', '.join(unknown)}, which this renderer does not know; "
                             "use patches and components, or teach it")
    document = read_manifest(kustomization)
    for name, added in options.items():
        document[name] = [*document.get(name, []), *deepcopy(added)]
    _yaml().dump(document, kustomization)


def _yaml() -> YAML:
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    return yaml


def main() -> int:
    """Print or write what an environment would run."""
    parser = argparse.ArgumentParser(prog="python -m delivery.render", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("environment", choices=sorted(ENVIRONMENTS))
    parser.add_argument("--core-kinds", action="store_true", help="a Rollout as a Deployment, for checkers")
    parser.add_argument("--root", type=Path, default=Path(), help="a checkout (default: here)")
    given = parser.parse_args()
    try:
        objects = list(render(given.root, given.environment).all_objects())
    except SentinelError as error:
        print(f"render: {error}", file=sys.stderr)
        return error.exit_code
    if given.core_kinds:
        objects = [core for one in objects for core in as_core_kinds(one)]
    _yaml().dump_all(objects, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
