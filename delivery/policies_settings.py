"""Rules for settings: the code reads every variable, finds all that it needs, and gets secrets from Vault only."""

import re
from collections.abc import Iterator

from delivery.policies_seen import (
    AUDIENCE, Rule, Seen, VaultAccess, pods, quantity, the_rollout, title, variables_of,
)

# What is read by others than our settings classes, and by whom.
OTHERS = frozenset({"HOME", "MPLCONFIGDIR", "SPARK_LOCAL_DIRS"})
HASH = re.compile(r".+-[a-z0-9]{10}")
CREDENTIALS = re.compile(r"://[^/\s:@]+:[^/\s@]+@|-----BEGIN|\b(?:gh[pousr]_|github_pat_|hvs\.|AKIA)[A-Za-z0-9_]{10,}")
KEPT = {"argocd.argoproj.io/sync-options": "Prune=false", "argocd.argoproj.io/compare-options": "IgnoreExtraneous"}


def variables_are_read(seen: Seen) -> Iterator[str]:
    """The settings of the stage read every variable that it is given."""
    for pod in pods(seen):
        known = seen.code.variables[pod.stage]
        unknown = variables_of(seen, pod).keys() - known.plain - known.secret - OTHERS
        if unknown:
            yield f"{pod}: nobody reads {', '.join(sorted(unknown))}"


def variables_are_there(seen: Seen) -> Iterator[str]:
    """Every setting without a default has its value."""
    for pod in pods(seen):
        given = {name for name, value in variables_of(seen, pod).items() if value.strip()}
        missing = seen.code.variables[pod.stage].required - given
        if missing:
            yield f"{pod}: no value for {', '.join(sorted(missing))}"


def secrets_come_from_vault(seen: Seen) -> Iterator[str]:
    """No secret is a variable, a Secret object, or text that looks like a credential."""
    for pod in pods(seen):
        told = variables_of(seen, pod).keys() & seen.code.variables[pod.stage].secret
        if told:
            yield f"{pod}: secrets among its variables: {', '.join(sorted(told))}"
    for one in seen.rendering.all_objects():
        if one["kind"] == "Secret":
            yield f"{title(one)} is a Secret"
    for name, text in _texts(seen):
        if CREDENTIALS.search(text):
            yield f"{name} holds what looks like a credential"


def vault_by_https(seen: Seen) -> Iterator[str]:
    """Vault is asked over TLS, by the role of this stage in this environment."""
    for pod in pods(seen):
        variables, role = variables_of(seen, pod), f"sentinel-{seen.rendering.environment}-{pod.stage}"
        if variables.get("VAULT_ROLE") != role:
            yield f"{pod}: VAULT_ROLE is {variables.get('VAULT_ROLE')}, expected {role}"
        if not variables.get("VAULT_ADDR", "").startswith("https://") or "SENTINEL_VAULT_ALLOW_HTTP" in variables:
            yield f"{pod}: Vault at {variables.get('VAULT_ADDR')}"


def vault_lets_it_in(seen: Seen) -> Iterator[str]:
    """The role in vault/ takes this service account and namespace, and reads this path and nothing else."""
    for pod in pods(seen):
        variables = variables_of(seen, pod)
        shown = VaultAccess(pod.spec.get("serviceAccountName", ""), pod.owner["metadata"]["namespace"], AUDIENCE,
                            frozenset({variables.get("VAULT_SECRET_PATH", "")}))
        allowed = seen.code.vault.get(f"sentinel-{seen.rendering.environment}-{pod.stage}")
        if shown != allowed:
            yield f"{pod}: comes as {shown}, vault/ has {allowed}"


def same_settings_name_same_things(seen: Seen) -> Iterator[str]:
    """What two stages share has the same value for both: where one writes, the other reads."""
    owners: dict[str, dict[str, str]] = {}
    for pod in pods(seen):
        for name, value in variables_of(seen, pod).items():
            if name not in OTHERS and name not in ("VAULT_ROLE", "VAULT_SECRET_PATH"):
                owners.setdefault(name, {})[str(pod)] = value
    yield from (f"{name}: {values}" for name, values in owners.items() if len(set(values.values())) > 1)


def scorer_listens_where_it_is_asked(seen: Seen) -> Iterator[str]:
    """The scorer listens on all addresses, at its container's port, and keeps the champion where it may write."""
    for pod in pods(seen):
        if pod.owner["kind"] != "Rollout":
            continue
        variables, container = variables_of(seen, pod), pod.containers[0]
        ports = {str(port["containerPort"]) for port in container.get("ports", [])}
        if variables.get("SENTINEL_HOST") != "0.0.0.0" or {variables.get("SENTINEL_PORT", "8080")} != ports:
            yield f"{pod}: listens on {variables.get('SENTINEL_HOST')} {variables.get('SENTINEL_PORT')}, ports {ports}"
        empty = {volume["name"] for volume in pod.volumes if "emptyDir" in volume}
        folders = [mount["mountPath"] for mount in container.get("volumeMounts", []) if mount["name"] in empty]
        if not any(variables.get("SENTINEL_CHAMPION_FOLDER", "").startswith(f"{folder}/") for folder in folders):
            yield f"{pod}: the champion's folder is in none of {folders}"


def settings_outlive_their_readers(seen: Seen) -> Iterator[str]:
    """A changed setting is another ConfigMap, and the old one stays for the pods that still run with it."""
    for one in seen.rendering.of_kind("ConfigMap"):
        if "grafana_dashboard" in one["metadata"].get("labels", {}):
            continue  # Grafana reads it, no pod of ours
        annotations = one["metadata"].get("annotations", {})
        if not HASH.fullmatch(one["metadata"]["name"]) or not KEPT.items() <= annotations.items():
            yield f"{title(one)}: no hash in its name, or it is pruned"


def references_lead_somewhere(seen: Seen) -> Iterator[str]:
    """Every ConfigMap, service account, Service and analysis that is named is there, under that name."""
    there = {(one["kind"], one["metadata"]["name"]) for one in seen.rendering.all_objects()}
    named = set()
    for pod in pods(seen):
        named.add((str(pod), "ServiceAccount", pod.spec.get("serviceAccountName")))
        named |= {(str(pod), "ConfigMap", source["configMapRef"]["name"]) for container in pod.containers
                  for source in container.get("envFrom", []) if "configMapRef" in source}
    strategy = the_rollout(seen)["spec"]["strategy"]["blueGreen"]
    named |= {("Rollout", "Service", strategy.get(name)) for name in ("activeService", "previewService")}
    named |= {("Rollout", "AnalysisTemplate", one["templateName"])
              for name in ("prePromotionAnalysis", "postPromotionAnalysis")
              for one in strategy.get(name, {}).get("templates", [])}
    yield from (f"{who}: there is no {kind} {name}" for who, kind, name in sorted(named) if (kind, name) not in there)


def quota_holds_everything(seen: Seen) -> Iterator[str]:
    """Both colours, the load test and all batch stages fit into the quota at once."""
    replicas = the_rollout(seen)["spec"].get("replicas") or max(
        scaler["spec"]["maxReplicas"] for scaler in seen.rendering.of_kind("HorizontalPodAutoscaler"))
    needed: dict[str, float] = {"pods": 0}
    for pod in pods(seen):
        times = 2 * replicas if pod.owner["kind"] == "Rollout" else 1
        needed["pods"] += times
        for container in pod.containers:
            for kind, values in container.get("resources", {}).items():
                for name, value in values.items():
                    key = f"{kind}.{name}"
                    needed[key] = needed.get(key, 0) + times * quantity(value)
    quota, = seen.rendering.of_kind("ResourceQuota")
    for name, value in needed.items():
        if value > quantity(quota["spec"]["hard"].get(name, "0")):
            yield f"{title(quota)}: {name} {quota['spec']['hard'].get(name)}, needed {value:g}"


def _texts(seen: Seen) -> Iterator[tuple[str, str]]:
    for one in seen.rendering.all_objects():
        if one["kind"] == "ConfigMap":
            yield from ((title(one), text) for text in one.get("data", {}).values())
    for pod in pods(seen):
        for container in pod.containers:
            own = [str(one.get("value", "")) for one in container.get("env", [])]
            yield from ((str(pod), text) for text in own + container.get("args", []) + container.get("command", []))


RULES: tuple[Rule, ...] = (
    variables_are_read, variables_are_there, secrets_come_from_vault, vault_by_https, vault_lets_it_in,
    same_settings_name_same_things, scorer_listens_where_it_is_asked, settings_outlive_their_readers,
    references_lead_somewhere, quota_holds_everything,
)
