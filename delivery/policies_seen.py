"""What a rule looks at: the objects of an environment, those of the other one, and what the code says."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from delivery.render import Manifest, Rendering, pod_templates

STAGES = ("data-fetch", "spark-preprocess", "ml-training", "model-serving")
NAME = "app.kubernetes.io/name"
PART_OF = "app.kubernetes.io/part-of"
AUDIENCE = "vault"  # of the tokens that pods show to Vault
SIZES = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
_QUANTITY = re.compile(r"([0-9]+)(m|k|M|G|Ki|Mi|Gi|)")
_DURATION = re.compile(r"([0-9]+)(s|m|h)")


@dataclass(frozen=True)
class Variables:
    """The environment variables that a stage's settings read."""

    plain: frozenset[str]
    secret: frozenset[str]
    required: frozenset[str]  # plain ones without a default


@dataclass(frozen=True)
class VaultAccess:
    """Who may log in with a role of Vault, and what it may then read."""

    service_account: str
    namespace: str
    audience: str
    paths: frozenset[str]


@dataclass(frozen=True)
class Code:
    """What the manifests have to agree with in the code."""

    variables: Mapping[str, Variables]  # by stage
    paths: frozenset[str]  # that the scorer answers with GET
    final_codes: frozenset[int]  # exit codes after which another try is useless
    temporary_codes: frozenset[int]  # exit codes that are worth another try
    vault: Mapping[str, VaultAccess]  # by role, "sentinel-staging-data-fetch"


@dataclass(frozen=True)
class Seen:
    """One environment, to be judged."""

    rendering: Rendering
    twin: Rendering  # the other environment
    code: Code


Rule = Callable[[Seen], Iterator[str]]


@dataclass(frozen=True)
class Pod:
    """One pod template and the object that it is in."""

    owner: Manifest
    template: Manifest

    def __str__(self) -> str:
        return title(self.owner)

    @property
    def spec(self) -> dict[str, Any]:
        """Return the pod's spec."""
        return dict(self.template["spec"])

    @property
    def labels(self) -> Mapping[str, str]:
        """Return the pod's labels."""
        return dict(self.template["metadata"].get("labels", {}))

    @property
    def containers(self) -> list[dict[str, Any]]:
        """Return all containers, those that only prepare among them."""
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]

    @property
    def volumes(self) -> list[dict[str, Any]]:
        """Return the volumes."""
        return list(self.spec.get("volumes", []))

    @property
    def stage(self) -> str:
        """Return the stage whose image it runs."""
        return str(self.spec["containers"][0]["image"]).rpartition("/")[2].partition(":")[0].partition("@")[0]


def pods(seen: Seen) -> Iterator[Pod]:
    """Yield every pod template, those inside analyses among them."""
    for owner in seen.rendering.all_objects():
        for template in pod_templates(owner):
            yield Pod(owner, template)


def title(manifest: Manifest) -> str:
    """Return how an object is named in messages: "CronJob data-fetch"."""
    return f"{manifest['kind']} {manifest['metadata']['name']}"


def the_rollout(seen: Seen) -> Manifest:
    """Return the one Rollout."""
    rollout, = seen.rendering.of_kind("Rollout")
    return rollout


def variables_of(seen: Seen, pod: Pod) -> dict[str, str]:
    """Return the environment variables of a pod's containers: those of its ConfigMaps, then its own."""
    maps = {one["metadata"]["name"]: one.get("data", {}) for one in seen.rendering.of_kind("ConfigMap")}
    variables: dict[str, str] = {}
    for container in pod.containers:
        for source in container.get("envFrom", []):
            variables |= maps.get(source.get("configMapRef", {}).get("name"), {})
        variables |= {one["name"]: str(one.get("value", "")) for one in container.get("env", [])}
    return variables


def is_selected(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Tell whether `labels` have all of the selector's."""
    return selector.items() <= labels.items()


def quantity(text: str) -> float:
    """Return the number that Kubernetes reads: 0.5 for 500m, 2 ** 30 for 1Gi; raises ValueError for other forms."""
    found = _QUANTITY.fullmatch(text)
    if found is None:
        raise ValueError(f"seen {text!r}, expected a whole number and a unit")
    number, unit = found.groups()
    return int(number) / 1000 if unit == "m" else int(number) * SIZES[unit]


def seconds(text: str) -> int:
    """Return a duration of Argo's in seconds: 90 for 90s; raises ValueError for other forms."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError(f"seen {text!r}, expected a whole number and s, m or h")
    return int(found[1]) * {"s": 1, "m": 60, "h": 3600}[found[2]]
