"""Rules for pods: what Pod Security calls restricted, field by field, and what goes beyond it.

Fields from "Pod Security Standards" of Kubernetes 1.34, baseline and restricted.
"""

from collections.abc import Iterator
from typing import Any

from delivery.policies_seen import AUDIENCE, NAME, PART_OF, STAGES, Pod, Rule, Seen, pods, quantity, title, variables_of

ALLOWED_VOLUMES = frozenset({"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim",
                             "projected", "secret"})
RESOURCES = frozenset({"cpu", "memory", "ephemeral-storage"})
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")


def nothing_of_the_host(seen: Seen) -> Iterator[str]:
    """No pod shares the host's network, processes or ports."""
    for pod in pods(seen):
        for name in ("hostNetwork", "hostPID", "hostIPC"):
            if pod.spec.get(name):
                yield f"{pod}: {name}"
        for container in pod.containers:
            if any(port.get("hostPort") for port in container.get("ports", [])):
                yield f"{pod}: hostPort"


def not_privileged(seen: Seen) -> Iterator[str]:
    """No container is privileged, or asks for system settings and profiles that lift the walls."""
    for pod, security in _securities(seen):
        if security.get("privileged") or security.get("procMount", "Default") != "Default":
            yield f"{pod}: privileged or procMount"
        if security.get("sysctls") or security.get("windowsOptions") or security.get("seLinuxOptions"):
            yield f"{pod}: sysctls, windowsOptions or seLinuxOptions"
        if security.get("appArmorProfile", {}).get("type") == "Unconfined":
            yield f"{pod}: AppArmor is off"


def no_probe_to_another_host(seen: Seen) -> Iterator[str]:
    """No probe or lifecycle hook names a host (new in the baseline of 1.34)."""
    for pod in pods(seen):
        for container in pod.containers:
            hooks = [container.get(name, {}) for name in PROBES] + list(container.get("lifecycle", {}).values())
            if any("host" in hook.get(kind, {}) for hook in hooks for kind in ("httpGet", "tcpSocket")):
                yield f"{pod}: a probe or hook with a host"


def allowed_volumes(seen: Seen) -> Iterator[str]:
    """Volumes are of the kinds that restricted allows, and none is a Secret."""
    for pod in pods(seen):
        for volume in pod.volumes:
            kinds = set(volume) - {"name"}
            if not kinds <= ALLOWED_VOLUMES - {"secret"}:
                yield f"{pod}: volume {volume['name']} is {', '.join(sorted(kinds))}"


def no_more_privileges(seen: Seen) -> Iterator[str]:
    """Every container says that it gains no privileges."""
    for pod, container in _containers(seen):
        if container.get("securityContext", {}).get("allowPrivilegeEscalation") is not False:
            yield f"{pod}: allowPrivilegeEscalation of {container['name']} is not false"


def numeric_user(seen: Seen) -> Iterator[str]:
    """Every pod runs as a user with a number, and not as root."""
    for pod in pods(seen):
        security = pod.spec.get("securityContext", {})
        users = [security.get("runAsUser"), *(container.get("securityContext", {}).get("runAsUser", 10001)
                                              for container in pod.containers)]
        if security.get("runAsNonRoot") is not True or not all(isinstance(user, int) and user > 0 for user in users):
            yield f"{pod}: runAsNonRoot {security.get('runAsNonRoot')}, runAsUser {users}"


def seccomp_profile(seen: Seen) -> Iterator[str]:
    """Every pod has the system-call filter of its runtime."""
    for pod in pods(seen):
        if pod.spec.get("securityContext", {}).get("seccompProfile", {}).get("type") != "RuntimeDefault":
            yield f"{pod}: seccompProfile is not RuntimeDefault"


def no_capabilities(seen: Seen) -> Iterator[str]:
    """Every container drops all capabilities and adds none."""
    for pod, container in _containers(seen):
        if container.get("securityContext", {}).get("capabilities") != {"drop": ["ALL"]}:
            yield f"{pod}: capabilities of {container['name']}, expected only drop: [ALL]"


def read_only_root(seen: Seen) -> Iterator[str]:
    """No container writes into its image."""
    for pod, container in _containers(seen):
        if container.get("securityContext", {}).get("readOnlyRootFilesystem") is not True:
            yield f"{pod}: readOnlyRootFilesystem of {container['name']} is not true"


def sized_folders(seen: Seen) -> Iterator[str]:
    """What may be written has a size: an emptyDir at /tmp at least, each with its limit."""
    for pod in pods(seen):
        empty = {volume["name"]: volume["emptyDir"] or {} for volume in pod.volumes if "emptyDir" in volume}
        yield from (f"{pod}: emptyDir {name} has no sizeLimit" for name, one in empty.items() if "sizeLimit" not in one)
        for container in pod.containers:
            mounted = {mount["mountPath"] for mount in container.get("volumeMounts", []) if mount["name"] in empty}
            if "/tmp" not in mounted:
                yield f"{pod}: {container['name']} has no /tmp"


def folders_fit(seen: Seen) -> Iterator[str]:
    """The folders of a pod fit into the disk, and those in memory into the memory, that it may take."""
    for pod in pods(seen):
        limits = [container["resources"]["limits"] for container in pod.containers
                  if RESOURCES <= container.get("resources", {}).get("limits", {}).keys()]
        for medium, resource in (("", "ephemeral-storage"), ("Memory", "memory")):
            folders = sum(quantity(volume["emptyDir"]["sizeLimit"]) for volume in pod.volumes
                          if "sizeLimit" in volume.get("emptyDir", {})
                          and volume["emptyDir"].get("medium", "") == medium)
            if limits and folders > sum(quantity(one[resource]) for one in limits):
                yield f"{pod}: folders of {folders / 2**20:g} MiB do not fit into its {resource}"


def requests_and_limits(seen: Seen) -> Iterator[str]:
    """Every container asks for processor, memory and disk, and has a limit of each."""
    for pod, container in _containers(seen):
        for kind in ("requests", "limits"):
            missing = RESOURCES - container.get("resources", {}).get(kind, {}).keys()
            if missing:
                yield f"{pod}: no {kind} of {', '.join(sorted(missing))}"


def canonical_quantities(seen: Seen) -> Iterator[str]:
    """Quantities are written as the API server would, or Argo CD sees a drift in a Rollout for ever."""
    for pod, container in _containers(seen):
        for kind, values in container.get("resources", {}).items():
            for name, value in values.items():
                if not isinstance(value, str) or not _is_canonical(value):
                    yield f"{pod}: {kind} {name} {value!r}"


def no_token_of_the_cluster(seen: Seen) -> Iterator[str]:
    """No pod gets a token for the API server, nor the addresses of its neighbours."""
    for pod in pods(seen):
        for name in ("automountServiceAccountToken", "enableServiceLinks"):
            if pod.spec.get(name) is not False:
                yield f"{pod}: {name} is not false"
    for account in seen.rendering.of_kind("ServiceAccount"):
        if account.get("automountServiceAccountToken") is not False:
            yield f"{title(account)}: automountServiceAccountToken is not false"


def token_for_vault(seen: Seen) -> Iterator[str]:
    """Every pod shows Vault a short-lived token for Vault alone, where its settings look for it."""
    for pod in pods(seen):
        tokens = [(volume["name"], source["serviceAccountToken"]) for volume in pod.volumes
                  for source in volume.get("projected", {}).get("sources", []) if "serviceAccountToken" in source]
        if [(AUDIENCE, "token")] != [(token.get("audience"), token["path"]) for _, token in tokens]:
            yield f"{pod}: expected one projected token, for the audience vault"
            continue
        (volume, token), = tokens
        folders = [mount["mountPath"] for container in pod.containers for mount in container.get("volumeMounts", [])
                   if mount["name"] == volume]
        expected = variables_of(seen, pod).get("VAULT_TOKEN_PATH")
        if [expected] != [f"{folder}/{token['path']}" for folder in folders]:
            yield f"{pod}: the token is in {folders}, VAULT_TOKEN_PATH is {expected}"
        if not 600 <= token.get("expirationSeconds", 3600) <= 3600:
            yield f"{pod}: the token lives {token['expirationSeconds']} s"


def recommended_labels(seen: Seen) -> Iterator[str]:
    """Every object and pod says that it is part of Sentinel, and those that are written by hand what they are."""
    for one in seen.rendering.all_objects():
        labels = one["metadata"].get("labels", {})
        if labels.get(PART_OF) != "sentinel" or NAME not in labels and one["kind"] != "ConfigMap":
            yield f"{title(one)}: labels {labels}"
    for pod in pods(seen):
        if pod.labels.get(PART_OF) != "sentinel" or NAME not in pod.labels or pod.stage not in STAGES:
            yield f"{pod}: labels of its pods {pod.labels}"


def _containers(seen: Seen) -> Iterator[tuple[Pod, dict[str, Any]]]:
    for pod in pods(seen):
        for container in pod.containers:
            yield pod, container


def _securities(seen: Seen) -> Iterator[tuple[Pod, dict[str, Any]]]:
    for pod in pods(seen):
        yield pod, pod.spec.get("securityContext", {})
        for container in pod.containers:
            yield pod, container.get("securityContext", {})


def _is_canonical(value: str) -> bool:
    """Tell whether the API server would write the same: no 0.1, no 1000m, no 1024Mi."""
    try:
        number = quantity(value)
    except ValueError:
        return False
    if value.endswith("m"):
        return number != int(number)
    return not (value.endswith(("Ki", "Mi")) and int(value[:-2]) % 1024 == 0)


RULES: tuple[Rule, ...] = (
    nothing_of_the_host, not_privileged, no_probe_to_another_host, allowed_volumes, no_more_privileges, numeric_user,
    seccomp_profile, no_capabilities, read_only_root, sized_folders, folders_fit, requests_and_limits,
    canonical_quantities, no_token_of_the_cluster, token_for_vault, recommended_labels,
)
