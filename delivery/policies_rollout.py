"""Rules for the scorer: how a version is tried, how it takes over, how it ends, and who finds it."""

import re
from collections.abc import Iterator
from typing import Any

from delivery.policies_seen import (
    Pod, Rule, Seen, is_selected, pods, seconds, the_rollout, title, variables_of,
)

LEAST_DELAY_SECONDS = 5  # until kube-proxy knows the preview's endpoints: seen about 1 s
LEAST_PRE_STOP_SECONDS = 5  # the lag of endpoints with room
HASH_LABEL = "rollouts-pod-template-hash"
FETCH_BUDGET_SECONDS = 30.0  # the default of SENTINEL_FETCH_BUDGET_SECONDS
_RUN_TIME = re.compile(r"--run-time=([0-9]+)s")


def a_person_promotes(seen: Seen) -> Iterator[str]:
    """A new version waits for a person, who comes after the tests."""
    strategy = _strategy(seen)
    if strategy.get("autoPromotionEnabled") is not False or "autoPromotionSeconds" in strategy:
        yield "Rollout model-serving: it promotes itself"


def tried_before_it_takes_over(seen: Seen) -> Iterator[str]:
    """Before the promotion come the smoke test and the load test, against the preview."""
    yield from _missing_tests(seen, "prePromotionAnalysis", {"web", "job"}, "previewService")


def tried_after_it_took_over(seen: Seen) -> Iterator[str]:
    """After the promotion the share of errors is measured, against the active Service."""
    yield from _missing_tests(seen, "postPromotionAnalysis", {"job"}, "activeService")


def old_version_stays_long_enough(seen: Seen) -> Iterator[str]:
    """The old version outlives the analysis after the promotion by a minute, so that an abort has somewhere to go."""
    strategy = _strategy(seen)
    longest = max((_longest_seconds(metric) for template in _templates(seen, "postPromotionAnalysis")
                   for metric in template["spec"]["metrics"]), default=0)
    if strategy.get("scaleDownDelaySeconds", 30) < longest + 60:
        yield f"scaleDownDelaySeconds {strategy.get('scaleDownDelaySeconds')}, the analysis may take {longest} s"
    if not 1 <= strategy.get("scaleDownDelayRevisionLimit", 0) <= 2:
        yield "scaleDownDelayRevisionLimit is not 1 or 2"


def waiting_is_no_failure(seen: Seen) -> Iterator[str]:
    """A version that is not ready yet is told of and never given up: on the first day no model exists."""
    spec = the_rollout(seen)["spec"]
    if spec.get("progressDeadlineAbort") is not False or spec.get("progressDeadlineSeconds", 0) < 300:
        yield f"progressDeadlineAbort {spec.get('progressDeadlineAbort')}, " \
              f"progressDeadlineSeconds {spec.get('progressDeadlineSeconds')}"


def rollback_is_quick(seen: Seen) -> Iterator[str]:
    """An old version that comes back needs no second trial, and its pods' template is still there."""
    spec = the_rollout(seen)["spec"]
    revisions = spec.get("rollbackWindow", {}).get("revisions", 0)
    if not 1 <= revisions <= spec.get("revisionHistoryLimit", 10):
        yield f"rollbackWindow {revisions}, revisionHistoryLimit {spec.get('revisionHistoryLimit')}"


def analyses_wait_for_endpoints(seen: Seen) -> Iterator[str]:
    """Every metric waits until the Service knows the new pods."""
    for template, metric in _metrics(seen):
        if seconds(metric.get("initialDelay", "0s")) < LEAST_DELAY_SECONDS:
            yield f"{title(template)}: {metric['name']} has initialDelay {metric.get('initialDelay')}"


def analyses_end(seen: Seen) -> Iterator[str]:
    """A test is run once, fails at its first failure, and has a deadline beyond its own run time."""
    for template, metric in _metrics(seen):
        job = metric["provider"].get("job")
        if job is None:
            if "count" not in metric:
                yield f"{title(template)}: {metric['name']} has no count and never ends"
            continue
        spec = job["spec"]
        pod = spec["template"]["spec"]
        found = _RUN_TIME.search(" ".join(pod["containers"][0].get("args", [])))
        run_time = int(found[1]) if found else 0
        if spec.get("backoffLimit") != 0 or pod.get("restartPolicy") != "Never" or metric.get("failureLimit", 0) != 0:
            yield f"{title(template)}: a failed {metric['name']} is tried again"
        if not run_time + 60 <= spec.get("activeDeadlineSeconds", 0) <= 600:
            yield f"{title(template)}: activeDeadlineSeconds {spec.get('activeDeadlineSeconds')}, it runs {run_time} s"


def analyses_know_bad_from_nothing(seen: Seen) -> Iterator[str]:
    """What is measured is good or bad and nothing between; no traffic, or no number, is bad."""
    for template, metric in _metrics(seen):
        if "job" in metric["provider"]:
            continue
        good, bad = metric.get("successCondition", ""), metric.get("failureCondition", "")
        if not good or not bad or "consecutiveErrorLimit" not in metric:
            yield f"{title(template)}: {metric['name']} lacks successCondition, failureCondition or " \
                  "consecutiveErrorLimit"
        elif "prometheus" in metric["provider"] and not all("isNaN" in one and "len(result)" in one
                                                            for one in (good, bad)):
            yield f"{title(template)}: {metric['name']} takes NaN or nothing for an answer"


def analyses_get_their_arguments(seen: Seen) -> Iterator[str]:
    """The Rollout gives every argument that a template declares without a value, and no other."""
    for name in ("prePromotionAnalysis", "postPromotionAnalysis"):
        declared = {arg["name"]: "value" in arg for template in _templates(seen, name)
                    for arg in template["spec"].get("args", [])}
        given = {arg["name"] for arg in _strategy(seen).get(name, {}).get("args", [])}
        needed = {arg for arg, has_value in declared.items() if not has_value}
        if not needed <= given <= declared.keys():
            yield f"{name}: given {sorted(given)}, needed {sorted(needed)}, declared {sorted(declared)}"


def load_test_is_no_scorer(seen: Seen) -> Iterator[str]:
    """No selector of the scorer matches the pod of a load test."""
    rollout = the_rollout(seen)["spec"]["selector"]["matchLabels"]
    for pod in pods(seen):
        if pod.owner["kind"] == "AnalysisTemplate" and is_selected(rollout, pod.labels):
            yield f"{pod}: its labels {pod.labels} match the Rollout's selector"


def tested_by_its_own_build(seen: Seen) -> Iterator[str]:
    """The load test runs the very image that it tests."""
    images = {container["image"] for pod in pods(seen) for container in pod.containers
              if pod.owner["kind"] in ("Rollout", "AnalysisTemplate")}
    if len(images) != 1:
        yield f"seen {', '.join(sorted(images))}, expected one image"


def three_probes(seen: Seen) -> Iterator[str]:
    """Started, ready and alive are three questions, on paths and ports that the scorer has."""
    pod, container = _scorer(seen)
    ports = {port["name"] for port in container.get("ports", [])}
    probes = {name: container.get(name, {}).get("httpGet", {})
              for name in ("startupProbe", "readinessProbe", "livenessProbe")}
    for name, probe in probes.items():
        if probe.get("path") not in seen.code.paths or probe.get("port") not in ports:
            yield f"{pod}: {name} asks {probe.get('path')} on {probe.get('port')}"
    if probes["readinessProbe"].get("path") != "/readyz" or probes["livenessProbe"].get("path") != "/healthz":
        yield f"{pod}: readiness is /readyz, liveness is /healthz, which never depends on others"


def start_may_take_its_time(seen: Seen) -> Iterator[str]:
    """A scorer that still copies its first champion is not restarted."""
    pod, container = _scorer(seen)
    probe = container.get("startupProbe", {})
    window = probe.get("periodSeconds", 10) * probe.get("failureThreshold", 3)
    budget = float(variables_of(seen, pod).get("SENTINEL_FETCH_BUDGET_SECONDS", FETCH_BUDGET_SECONDS))
    if window < 2 * budget:
        yield f"{pod}: the startup probe gives up after {window} s, copying may take {budget:g} s"


def drain_fits(seen: Seen) -> Iterator[str]:
    """A pod that ends first waits until no client is sent to it, then answers what it has, and is not killed before."""
    pod, container = _scorer(seen)
    sleep = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    graceful = int(variables_of(seen, pod).get("SENTINEL_GRACEFUL_SECONDS", 20))
    grace = pod.spec.get("terminationGracePeriodSeconds", 30)
    if sleep < LEAST_PRE_STOP_SECONDS or sleep + graceful + 5 >= grace:
        yield f"{pod}: preStop {sleep} s and {graceful} s to answer, killed after {grace} s"


def more_than_one_scorer(seen: Seen) -> Iterator[str]:
    """At least two scorers, apart from each other; their number has one master, Git or an autoscaler."""
    spec = the_rollout(seen)["spec"]
    scalers = seen.rendering.of_kind("HorizontalPodAutoscaler")
    counts = [scaler["spec"].get("minReplicas", 1) for scaler in scalers] or [spec.get("replicas", 1)]
    if min(counts) < 2 or scalers and ("replicas" in spec or "previewReplicaCount" not in _strategy(seen)):
        yield f"replicas {spec.get('replicas')}, autoscalers {len(scalers)}, at least {min(counts)}"
    if "topologySpreadConstraints" not in spec["template"]["spec"] or "antiAffinity" not in _strategy(seen):
        yield "nothing keeps the scorers apart"


def drained_one_by_one(seen: Seen) -> Iterator[str]:
    """A disruption budget over both colours lets one scorer go at a time, and any that is not ready."""
    rollout = the_rollout(seen)["spec"]["selector"]["matchLabels"]
    budgets = [one["spec"] for one in seen.rendering.of_kind("PodDisruptionBudget")
               if one["spec"]["selector"].get("matchLabels") == rollout]
    if [(1, "AlwaysAllow")] != [(one.get("maxUnavailable"), one.get("unhealthyPodEvictionPolicy")) for one in budgets]:
        yield f"budgets of the scorer: {budgets}"


def services_find_the_scorer(seen: Seen) -> Iterator[str]:
    """Each Service selects the scorer's pods and no others, by labels only, and by a port that they have."""
    for service in seen.rendering.of_kind("Service"):
        selector = service["spec"]["selector"]
        found = [pod for pod in pods(seen) if is_selected(selector, pod.labels)]
        if ["Rollout"] != [pod.owner["kind"] for pod in found]:
            yield f"{title(service)}: selects {', '.join(map(str, found)) or 'nobody'}"
            continue
        ports = {port["name"] for container in found[0].containers for port in container.get("ports", [])}
        if {port["targetPort"] for port in service["spec"]["ports"]} - ports:
            yield f"{title(service)}: its port is none of {sorted(ports)}"
        if service["spec"].get("type", "ClusterIP") != "ClusterIP":
            yield f"{title(service)}: is open to the outside"


def controller_owns_the_hash(seen: Seen) -> Iterator[str]:
    """Git never holds the label by which the controller tells the colours apart, or self-heal would undo it."""
    places: list[tuple[str, dict[str, Any]]] = [
        (title(service), service["spec"]["selector"]) for service in seen.rendering.of_kind("Service")]
    places += [(str(pod), dict(pod.labels)) for pod in pods(seen)]
    yield from (f"{name}: {HASH_LABEL}" for name, labels in places if HASH_LABEL in labels)


def _strategy(seen: Seen) -> dict[str, Any]:
    return dict(the_rollout(seen)["spec"]["strategy"]["blueGreen"])


def _templates(seen: Seen, analysis: str) -> list[dict[str, Any]]:
    names = [one["templateName"] for one in _strategy(seen).get(analysis, {}).get("templates", [])]
    return [one for one in seen.rendering.of_kind("AnalysisTemplate") if one["metadata"]["name"] in names]


def _metrics(seen: Seen) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for template in seen.rendering.of_kind("AnalysisTemplate"):
        for metric in template["spec"]["metrics"]:
            yield template, metric


def _missing_tests(seen: Seen, analysis: str, wanted: set[str], service: str) -> Iterator[str]:
    providers = {kind for template in _templates(seen, analysis) for metric in template["spec"]["metrics"]
                 for kind in metric["provider"]}
    if not wanted <= providers:
        yield f"{analysis}: measured by {sorted(providers)}, expected {sorted(wanted)}"
    values = {arg["name"]: arg.get("value") for arg in _strategy(seen).get(analysis, {}).get("args", [])}
    if values.get("service") != _strategy(seen).get(service):
        yield f"{analysis}: asks {values.get('service')}, expected {_strategy(seen).get(service)}"


def _longest_seconds(metric: dict[str, Any]) -> int:
    delay = seconds(metric.get("initialDelay", "0s"))
    if "job" in metric["provider"]:
        return delay + int(metric["provider"]["job"]["spec"].get("activeDeadlineSeconds", 0))
    return delay + seconds(metric.get("interval", "0s")) * int(metric.get("count", 1))


def _scorer(seen: Seen) -> tuple[Pod, dict[str, Any]]:
    rollout = the_rollout(seen)
    pod = Pod(rollout, rollout["spec"]["template"])
    return pod, pod.containers[0]


RULES: tuple[Rule, ...] = (
    a_person_promotes, tried_before_it_takes_over, tried_after_it_took_over, old_version_stays_long_enough,
    waiting_is_no_failure, rollback_is_quick, analyses_wait_for_endpoints, analyses_end,
    analyses_know_bad_from_nothing, analyses_get_their_arguments, load_test_is_no_scorer,
    tested_by_its_own_build, three_probes, start_may_take_its_time, drain_fits, more_than_one_scorer,
    drained_one_by_one, services_find_the_scorer, controller_owns_the_hash,
)
