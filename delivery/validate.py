"""Check objects against the schemas of their kinds: Kubernetes' own, and Argo's as `make build/schemas` wrote them.

    python -m delivery.validate staging production
"""

import argparse
import json
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import jsonschema
import kubernetes_validate

from delivery.render import ENVIRONMENTS, Manifest, as_core_kinds, render
from sentinel.errors import NotFoundError, SentinelError

KUBERNETES = "1.34"
SCHEMAS = Path("build/schemas")
UNCHECKED = frozenset({"PodMonitor", "PrometheusRule"})  # the alerts have their own check, by promtool


def problems_of(manifest: Manifest, schemas: Path) -> list[str]:
    """Return what is wrong with one object; a Rollout's pods are also checked as a Deployment's."""
    kind = manifest["kind"]
    if kind in UNCHECKED:
        return []
    problems = []
    if manifest["apiVersion"].startswith("argoproj.io/"):
        errors = jsonschema.Draft202012Validator(_schema(schemas / f"{kind}.json")).iter_errors(manifest)
        problems += [f"{_name(manifest)}: {'.'.join(map(str, error.absolute_path))}: {error.message[:300]}"
                     for error in errors]
        core = as_core_kinds(manifest) if kind in ("Rollout", "AnalysisTemplate") else []
    else:
        core = [manifest]
    return problems + [f"{_name(manifest)}: {text}" for one in core for text in _core_problems(one)]


def _core_problems(manifest: Manifest) -> list[str]:
    try:
        kubernetes_validate.validate(manifest, KUBERNETES, strict=True)
    except kubernetes_validate.ValidationError as error:
        return [f"{'.'.join(map(str, error.path))}: {error.message[:300]}"]
    except kubernetes_validate.SchemaNotFoundError as error:
        return [error.message]  # its command line only warns
    return []


@cache
def _schema(path: Path) -> Mapping[str, object]:
    if not path.exists():
        raise NotFoundError(f"{path} is not there; make it with `make {SCHEMAS}`")
    return dict(json.loads(path.read_text()))


def _name(manifest: Manifest) -> str:
    return f"{manifest['kind']} {manifest['metadata']['name']}"


def main() -> int:
    """Print what is wrong with the objects of the environments."""
    parser = argparse.ArgumentParser(prog="python -m delivery.validate", description=__doc__)
    parser.add_argument("environments", nargs="+", choices=sorted(ENVIRONMENTS))
    count, problems = 0, []
    try:
        for environment in parser.parse_args().environments:
            rendering = render(Path(), environment)
            objects = [rendering.project, *rendering.applications.values(), *rendering.all_objects()]
            count += len(objects)
            problems += [f"{environment}: {text}" for one in objects for text in problems_of(one, SCHEMAS)]
    except SentinelError as error:
        print(f"validate: {error}", file=sys.stderr)
        return error.exit_code
    print("\n".join([*problems, f"{count} objects, {len(problems)} problems"]))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
