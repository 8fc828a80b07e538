"""Take the schemas of Argo's kinds out of the Go modules that define them.

    python -m delivery.schemas build/schemas github.com/argoproj/argo-rollouts@v1.9.0 …

A field that a kind does not define becomes an error, where the cluster would only drop it.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from sentinel.errors import FixNeededError, SentinelError

KINDS = ("AnalysisTemplate", "Application", "AppProject", "Rollout")
DOWNLOAD_SECONDS = 600
ANY_FIELDS = "x-kubernetes-preserve-unknown-fields"
EXTENSIONS = "x-kubernetes-"


def write_schemas(folder: Path, modules: list[str]) -> list[Path]:
    """Write one JSON schema per kind of KINDS into `folder`; raises FixNeededError where the modules lack one."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for module in modules:
        for definition in sorted((_download(module) / "manifests/crds").glob("*-crd.yaml")):
            document = YAML(typ="safe", pure=True).load(definition)
            kind = document["spec"]["names"]["kind"]
            if kind in KINDS:
                version, = document["spec"]["versions"]
                path = folder / f"{kind}.json"
                path.write_text(json.dumps(to_json_schema(version["schema"]["openAPIV3Schema"]), indent=1) + "\n")
                written.append(path)
    missing = sorted(set(KINDS) - {path.stem for path in written})
    if missing:
        raise FixNeededError(f"{', '.join(modules)} define no {', '.join(missing)}; name the modules of both programs")
    return written


def to_json_schema(schema: Any) -> Any:
    """Return an OpenAPI schema of a custom resource as JSON schema that refuses unknown fields."""
    if isinstance(schema, list):
        return [to_json_schema(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    converted = {name: to_json_schema(value) for name, value in schema.items()
                 if not name.startswith(EXTENSIONS) and name not in ("description", "format", "nullable", "properties")}
    if "properties" in schema:
        converted["properties"] = {name: to_json_schema(value) for name, value in schema["properties"].items()}
        if "additionalProperties" not in schema and not schema.get(ANY_FIELDS):
            converted["additionalProperties"] = False
    return converted


def _download(module: str) -> Path:
    """Return the folder of a Go module, from the proxy or the cache."""
    try:
        done = subprocess.run(["go", "mod", "download", "-json", module], capture_output=True, text=True,
                              timeout=DOWNLOAD_SECONDS)
    except FileNotFoundError as error:
        raise FixNeededError("`go` is not there; install Go 1.24 or newer, it also builds kustomize") from error
    answer = json.loads(done.stdout or "{}")
    if done.returncode != 0 or "Dir" not in answer:
        raise FixNeededError(f"{module} cannot be had: {answer.get('Error') or done.stderr.strip()}")
    return Path(answer["Dir"])


def main() -> int:
    """Write the schemas and name them."""
    folder, *modules = sys.argv[1:]
    try:
        for path in write_schemas(Path(folder), modules):
            print(path)
    except SentinelError as error:
        print(f"schemas: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
