"""Rules for the batch stages: how they are repeated, when they end, and what their exit codes mean."""

from collections.abc import Iterator

from delivery.policies_seen import Pod, Rule, Seen, quantity, title, variables_of

RUNS_TRIED = 3  # a Job's deadline holds so many runs that use up their budget


def one_run_at_a_time(seen: Seen) -> Iterator[str]:
    """A CronJob never overlaps itself, runs by a stated clock, and makes up for what it missed, once."""
    for cron in seen.rendering.of_kind("CronJob"):
        spec = cron["spec"]
        if spec.get("concurrencyPolicy") != "Forbid":
            yield f"{title(cron)}: concurrencyPolicy {spec.get('concurrencyPolicy')}"
        if spec.get("timeZone") != "Etc/UTC" or "TZ=" in spec["schedule"]:
            yield f"{title(cron)}: timeZone {spec.get('timeZone')}"
        if spec.get("startingDeadlineSeconds", 0) < 60:
            yield f"{title(cron)}: startingDeadlineSeconds {spec.get('startingDeadlineSeconds')}"


def finished_runs_are_kept(seen: Seen) -> Iterator[str]:
    """The last runs stay to be looked at, and no more than a few."""
    for cron in seen.rendering.of_kind("CronJob"):
        kept = [cron["spec"].get(name) for name in ("successfulJobsHistoryLimit", "failedJobsHistoryLimit")]
        if not all(isinstance(number, int) and 1 <= number <= 5 for number in kept):
            yield f"{title(cron)}: history limits {kept}"


def jobs_end(seen: Seen) -> Iterator[str]:
    """Every run has a deadline and a number of tries; the deadline holds the tries that the budgets allow."""
    for cron in seen.rendering.of_kind("CronJob"):
        spec = cron["spec"]["jobTemplate"]["spec"]
        if not 1 <= spec.get("backoffLimit", 6) <= 5 or "activeDeadlineSeconds" not in spec:
            yield f"{title(cron)}: backoffLimit {spec.get('backoffLimit')}, " \
                  f"activeDeadlineSeconds {spec.get('activeDeadlineSeconds')}"
            continue
        variables = variables_of(seen, Pod(cron, spec["template"]))
        budget = float(variables.get("SENTINEL_GITHUB_BUDGET_SECONDS", 0))
        if spec["activeDeadlineSeconds"] < RUNS_TRIED * budget:
            yield f"{title(cron)}: {spec['activeDeadlineSeconds']} s do not hold {RUNS_TRIED} runs of {budget:g} s"


def exit_codes_decide(seen: Seen) -> Iterator[str]:
    """Kubernetes tries again what is worth it, by the exit code, and a drained node is no failure."""
    expected = {"FailJob": seen.code.final_codes, "Count": seen.code.temporary_codes}
    for cron in seen.rendering.of_kind("CronJob"):
        spec = cron["spec"]["jobTemplate"]["spec"]
        rules = spec.get("podFailurePolicy", {}).get("rules", [])
        containers = {container["name"] for container in spec["template"]["spec"]["containers"]}
        found = {rule["action"]: frozenset(rule["onExitCodes"]["values"]) for rule in rules if "onExitCodes" in rule
                 and rule["onExitCodes"]["operator"] == "In"
                 and rule["onExitCodes"].get("containerName") in containers}
        if found != expected:
            yield f"{title(cron)}: seen {found}, expected {expected}"
        first = rules[0] if rules else {}
        if first.get("action") != "Ignore" or first.get("onPodConditions", [{}])[0].get("type") != "DisruptionTarget":
            yield f"{title(cron)}: a drained node counts as a failure"
        if spec["template"]["spec"].get("restartPolicy") != "Never":
            yield f"{title(cron)}: restartPolicy is not Never"


def heap_fits(seen: Seen) -> Iterator[str]:
    """Java's heap takes at most half of the memory: Python works beside it."""
    for cron in seen.rendering.of_kind("CronJob"):
        pod = Pod(cron, cron["spec"]["jobTemplate"]["spec"]["template"])
        heap = variables_of(seen, pod).get("SENTINEL_SPARK_DRIVER_MEMORY")
        memory = pod.containers[0].get("resources", {}).get("limits", {}).get("memory")
        if heap and memory and 2 * quantity(heap[:-1] + heap[-1].upper() + "i") > quantity(memory):
            yield f"{pod}: a heap of {heap} in {memory}"


RULES: tuple[Rule, ...] = (one_run_at_a_time, finished_runs_are_kept, jobs_end, exit_codes_decide, heap_fits)
