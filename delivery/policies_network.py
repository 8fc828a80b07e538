"""Rules for the network: nobody talks to anybody, but for what a stage needs."""

from collections.abc import Iterator
from typing import Any

from delivery.policies_seen import Rule, Seen, is_selected, pods, title

METADATA_ADDRESSES = "169.254.0.0/16"  # where clouds hand out a node's credentials
PRIVATE = frozenset({"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", METADATA_ADDRESSES})
# What each kind of pod may reach, by port: Vault 8200, MongoDB 27017, MLflow 5000, HTTPS 443, the scorer 8080.
NEEDED = {
    "data-fetch": {8200, 27017, 443}, "spark-preprocess": {8200, 27017, 443}, "ml-training": {8200, 5000, 443},
    "model-serving": {8200, 5000, 443}, "model-load-test": {8200, 8080},
}


def nothing_is_open_by_itself(seen: Seen) -> Iterator[str]:
    """One policy closes the namespace in both directions."""
    closing = [one for one in seen.rendering.of_kind("NetworkPolicy")
               if one["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}]
    if len(closing) != 1:
        yield f"seen {len(closing)} policies that close everything, expected one"


def names_are_found(seen: Seen) -> Iterator[str]:
    """Every pod may ask the cluster's DNS, by UDP and by TCP."""
    for policy in seen.rendering.of_kind("NetworkPolicy"):
        for rule in policy["spec"].get("egress", []):
            asked = {(port.get("protocol"), port.get("port")) for port in rule.get("ports", [])}
            if policy["spec"]["podSelector"] == {} and asked == {("UDP", 53), ("TCP", 53)}:
                return
    yield "no policy lets all pods ask for names by UDP and TCP"


def every_pod_has_a_policy(seen: Seen) -> Iterator[str]:
    """Each kind of pod has a policy of its own."""
    selectors = [one["spec"]["podSelector"].get("matchLabels", {}) for one in seen.rendering.of_kind("NetworkPolicy")]
    for pod in pods(seen):
        if not any(selector and is_selected(selector, pod.labels) for selector in selectors):
            yield f"{pod}: no policy selects {pod.labels}"


def every_policy_has_a_pod(seen: Seen) -> Iterator[str]:
    """No policy is for pods that do not exist: a label with a typo closes more than was meant."""
    labels = [pod.labels for pod in pods(seen)]
    for policy in seen.rendering.of_kind("NetworkPolicy"):
        near = [peer["podSelector"] for peer in _peers(policy) if "namespaceSelector" not in peer
                and "podSelector" in peer]
        for selector in [policy["spec"]["podSelector"], *near]:
            wanted = selector.get("matchLabels", {})
            if not any(is_selected(wanted, one) for one in labels):
                yield f"{title(policy)}: nobody has {wanted}"


def no_open_door(seen: Seen) -> Iterator[str]:
    """Every rule names who and which port; all addresses only by HTTPS, and never private ones or a node's own."""
    for policy in seen.rendering.of_kind("NetworkPolicy"):
        for rule in [*policy["spec"].get("egress", []), *policy["spec"].get("ingress", [])]:
            ports = {port.get("port") for port in rule.get("ports", [])}
            peers = rule.get("to", []) + rule.get("from", [])
            if not ports or not peers or any(peer in ({}, {"namespaceSelector": {}}) for peer in peers):
                yield f"{title(policy)}: a rule for everybody or for every port"
            for block in (peer["ipBlock"] for peer in peers if "ipBlock" in peer):
                if block["cidr"].endswith("/0") and (ports != {443} or not PRIVATE <= set(block.get("except", []))):
                    yield f"{title(policy)}: {block['cidr']} on {sorted(map(str, ports))}"


def only_what_a_stage_needs(seen: Seen) -> Iterator[str]:
    """A stage may reach the ports of its stores, and no others."""
    for policy in seen.rendering.of_kind("NetworkPolicy"):
        name = policy["metadata"]["name"]
        if policy["spec"]["podSelector"] == {}:
            continue
        ports = {port.get("port") for rule in policy["spec"].get("egress", []) for port in rule.get("ports", [])}
        if ports != NEEDED.get(name):
            yield f"{title(policy)}: reaches {sorted(map(str, ports))}, expected {sorted(NEEDED.get(name, ()))}"


def load_test_reaches_the_scorer(seen: Seen) -> Iterator[str]:
    """The scorer lets in the load test, the smoke test's controller and Prometheus, on the port of its container."""
    container_ports = {port["containerPort"] for pod in pods(seen) if pod.owner["kind"] == "Rollout"
                       for container in pod.containers for port in container.get("ports", [])}
    for policy in seen.rendering.of_kind("NetworkPolicy"):
        for rule in policy["spec"].get("ingress", []):
            if {port["port"] for port in rule.get("ports", [])} != container_ports:
                yield f"{title(policy)}: lets in on {rule.get('ports')}, the scorer listens on {container_ports}"
            let_in = [peer.get("podSelector", {}).get("matchLabels", {}) for peer in rule.get("from", [])
                      if "podSelector" in peer]
            testers = [pod for pod in pods(seen) if pod.owner["kind"] == "AnalysisTemplate"]
            if not all(any(is_selected(wanted, pod.labels) for wanted in let_in) for pod in testers):
                yield f"{title(policy)}: the load test is not let in"


def _peers(policy: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for direction, side in (("egress", "to"), ("ingress", "from")):
        for rule in policy["spec"].get(direction, []):
            yield from rule.get(side, [])


RULES: tuple[Rule, ...] = (
    nothing_is_open_by_itself, names_are_found, every_pod_has_a_policy, every_policy_has_a_pod, no_open_door,
    only_what_a_stage_needs, load_test_reaches_the_scorer,
)
