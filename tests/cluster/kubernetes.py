"""What the trial asks of Kubernetes and its controllers, through kubectl."""

import json
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

COMMAND_SECONDS = 60.0


class Kubernetes:
    """One cluster, reached as the environment's KUBECONFIG says."""

    def run(self, *arguments: str, stdin: str | None = None, is_expected_to_fail: bool = False) -> str:
        """Run kubectl and return its output; a failure fails the test with all of it."""
        done = subprocess.run(["kubectl", *arguments], input=stdin, text=True, capture_output=True,
                              timeout=COMMAND_SECONDS)
        if done.returncode and not is_expected_to_fail:
            raise AssertionError(f"kubectl {' '.join(arguments)}:\n{done.stdout}{done.stderr}")
        return done.stdout + (done.stderr if is_expected_to_fail else "")

    def apply(self, *objects: Mapping[str, Any]) -> None:
        """Create or change objects."""
        self.run("apply", "--server-side", "--force-conflicts", "-f", "-",
                 stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))

    def get(self, kind: str, name: str, namespace: str) -> dict[str, Any]:
        """Return an object, empty where there is none."""
        found = self.run("get", kind, name, "-n", namespace, "-o", "json", "--ignore-not-found")
        return json.loads(found) if found.strip() else {}

    def list(self, kind: str, namespace: str, selector: str = "") -> list[dict[str, Any]]:
        """Return all objects of a kind in a namespace, or those that a label selector names."""
        chosen = ["-l", selector] if selector else []
        return json.loads(self.run("get", kind, "-n", namespace, "-o", "json", *chosen))["items"]

    def run_job(self, cronjob: str, name: str, namespace: str, seconds: float,
                environment: Mapping[str, str] | None = None, token: str | None = None) -> "FinishedJob":
        """Start a CronJob's work now and wait for its end."""
        self.start_job(cronjob, name, namespace, environment, token)
        return self.wait_for_job(name, namespace, seconds)

    def start_job(self, cronjob: str, name: str, namespace: str, environment: Mapping[str, str] | None = None,
                  token: str | None = None) -> None:
        """Start a CronJob's work now, with other variables, and with another token for Vault, where some are given."""
        made = json.loads(self.run("create", "job", name, f"--from=cronjob/{cronjob}", "-n", namespace,
                                   "--dry-run=client", "-o", "json"))
        made["metadata"].pop("ownerReferences", None)
        container = made["spec"]["template"]["spec"]["containers"][0]
        changed = dict(environment or {})
        container["env"] = [entry for entry in container.get("env", []) if entry["name"] not in changed] + [
            {"name": key, "value": value} for key, value in changed.items()]
        self.run("delete", "job", name, "-n", namespace, "--ignore-not-found", "--wait=true")
        if token is not None:
            self.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace},
                        "data": {"token": token}})
            [vault] = [one for one in made["spec"]["template"]["spec"]["volumes"] if one["name"] == "vault"]
            vault["projected"]["sources"] = [{"configMap": {"name": name}}]
        self.apply(made)

    def wait_for_job(self, name: str, namespace: str, seconds: float) -> "FinishedJob":
        """Wait for a job's end and return how it ended."""
        wait_until(f"job {name} ends", lambda: _is_over(self.get("job", name, namespace)), seconds,
                   lambda: self.run("describe", "job,pods", "-l", f"job-name={name}", "-n", namespace))
        return self.finished_job(name, namespace)

    def finished_job(self, name: str, namespace: str) -> "FinishedJob":
        """Return how a job ended, by the last of its pods."""
        job, pods = self.get("job", name, namespace), self.pods_of(name, namespace)
        ended = pods[-1]["status"]["containerStatuses"][0]["state"].get("terminated", {}) if pods else {}
        log = self.run("logs", pods[-1]["metadata"]["name"], "-n", namespace) if pods else ""
        conditions = {one["type"]: one for one in job["status"].get("conditions", ()) if one["status"] == "True"}
        return FinishedJob("Complete" in conditions, ended.get("exitCode"), log, len(pods))

    def evict(self, pod: str, namespace: str) -> bool:
        """Ask for a pod to go, as a drain does; tell whether its disruption budget let it."""
        wanted = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": namespace}}
        said = self.run("create", "--raw", f"/api/v1/namespaces/{namespace}/pods/{pod}/eviction", "-f", "-",
                        stdin=json.dumps(wanted), is_expected_to_fail=True)
        if "Success" not in said and "disruption budget" not in said:
            raise AssertionError(f"evicting {pod}: {said}")
        return "Success" in said

    def pods_of(self, job: str, namespace: str) -> Sequence[Mapping[str, Any]]:
        """Return the pods of a job, the latest last."""
        return sorted(self.list("pods", namespace, f"job-name={job}"),
                      key=lambda pod: pod["metadata"]["creationTimestamp"])


class FinishedJob:
    """How a job ended: what its last pod said and with which code."""

    def __init__(self, is_complete: bool, exit_code: int | None, log: str, n_pods: int) -> None:
        """Keep what was seen of a job."""
        self.is_complete, self.exit_code, self.log, self.n_pods = is_complete, exit_code, log, n_pods

    @property
    def closing_line(self) -> dict[str, Any]:
        """Return the last line of the log that is an event."""
        for line in reversed(self.log.splitlines()):
            try:
                event = json.loads(line)
            except json.JSONDecodeError:
                continue
            if isinstance(event, dict):
                return event
        return {}


def wait_until(what: str, is_so: Callable[[], Any], seconds: float,
               explain: Callable[[], str] = lambda: "") -> float:
    """Wait for something and return how many seconds it took; fails with an explanation after `seconds`."""
    started = time.monotonic()
    while not is_so():
        if time.monotonic() - started > seconds:
            raise AssertionError(f"not so after {seconds:.0f} s: {what}\n{explain()}")
        time.sleep(0.5)
    return time.monotonic() - started


def is_ready(pod: Mapping[str, Any]) -> bool:
    """Tell whether a pod may get requests."""
    return any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions", ()))


def images_of(pods: Sequence[Mapping[str, Any]]) -> set[str]:
    """Return the digests of the images that pods were told to run."""
    return {container["image"].partition("@")[2] for pod in pods for container in pod["spec"]["containers"]}


def _is_over(job: Mapping[str, Any]) -> bool:
    return any(condition["type"] in ("Complete", "Failed") and condition["status"] == "True"
               for condition in job.get("status", {}).get("conditions", ()))
