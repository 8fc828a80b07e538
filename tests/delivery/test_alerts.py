"""Alerts and dashboard speak of metrics that exist, fire when they should, and lead to the runbook."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from data_fetch.counts import FetchCounts
from data_fetch.metrics import push_metrics
from delivery.lint_alerts import alerts_of, check_rules, promtool, read_groups, untested
from model_serving.metrics import Metrics

ROOT = Path(__file__).parents[2]
OBSERVABILITY = ROOT / "argo-apps/observability"
RUNBOOK = ROOT / "docs/runbook.md"
# What others show, with where it was read: docs/metrics/workload of kube-state-metrics 2.17, cAdvisor in kubelet,
# controller/metrics of Argo Rollouts 1.9.0 and of Argo CD 3.2.11; `up` is Prometheus' own.
OTHERS = frozenset({
    "kube_cronjob_created", "kube_cronjob_info", "kube_cronjob_spec_suspend",
    "kube_cronjob_status_last_successful_time", "kube_job_failed", "kube_job_owner", "kube_job_status_start_time",
    "kube_pod_container_resource_limits", "kube_pod_container_status_restarts_total",
    "container_memory_working_set_bytes", "rollout_info", "argocd_app_info", "up",
})
WORDS = frozenset({"and", "or", "unless", "on", "ignoring", "by", "without", "group_left", "group_right", "bool"})
LABELS = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")

needs_promtool = pytest.mark.skipif(promtool(ROOT) is None, reason="no promtool; `make build/bin/promtool` fetches it")


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> frozenset[str]:
    """Return the names that the scorer's /metrics prints and that data_fetch pushes, from the programs themselves."""
    metrics = Metrics()
    metrics.count("/score", "POST", 200, 0.01)
    text = metrics.exposition().decode() + pushed_text()
    return frozenset(re.findall(r"^([a-z_]+)", text, re.MULTILINE))


def pushed_text() -> str:
    """Return what a push of data_fetch sends, caught by a real server in its place."""
    from tests.delivery.push_gateway import open_push_gateway
    with open_push_gateway() as gateway:
        push_metrics(gateway.address, FetchCounts(), 1.0, 0)
    return gateway.bodies[0].decode()


@pytest.mark.parametrize("where", ["alerts", "dashboard"])
def test_only_metrics_that_exist_are_asked_for(where, shown):
    recorded = {rule["record"] for group in read_groups(OBSERVABILITY) for rule in group["rules"] if "record" in rule}
    expressions = list(alert_expressions() if where == "alerts" else dashboard_expressions())

    assert set() == {name for one in expressions for name in names_in(one)} - shown - OTHERS - recorded
    assert len(expressions) > 10


def test_a_name_that_nothing_shows_is_found(shown):
    expression = 'sum by (route) (rate(sentinel_serving_request_total{route="/score"}[5m])) / on (pod) up'

    assert {"sentinel_serving_request_total"} == names_in(expression) - shown - OTHERS


def test_labels_that_alerts_choose_by_exist(shown):
    text = " ".join(alert_expressions())
    labels = set(re.findall(r"sentinel_serving_requests_total\{([^}]*)\}", text))

    assert {"namespace", "status", "route"} == {name for one in labels for name in re.findall(r"(\w+)[=!]", one)}


def test_every_alert_has_a_test_in_which_it_fires_and_one_in_which_it_is_silent():
    assert [] == list(untested(OBSERVABILITY))


@needs_promtool
def test_alerts_fire_and_stay_silent_as_their_tests_say():
    assert [] == list(check_rules(OBSERVABILITY, str(promtool(ROOT))))


@needs_promtool
@pytest.mark.parametrize("test, before, after", [
    ("late_test.yml", 'phase="Paused"', 'phase="paused"'),
    ("argo_test.yml", "for: 15m", "for: 1h"),
    ("argo_test.yml", "sum by", "sum bye"),
])
def test_a_broken_alert_is_found(tmp_path, test, before, after):
    alerts = (OBSERVABILITY / "alerts.yaml").read_text("utf-8")
    (tmp_path / "alerts.yaml").write_text(alerts.replace(before, after), "utf-8")
    (tmp_path / test).write_bytes((OBSERVABILITY / test).read_bytes())

    assert 1 == len(list(check_rules(tmp_path, str(promtool(ROOT)))))


def test_every_alert_says_how_bad_it_is_and_leads_to_its_section_of_the_runbook():
    sections = {heading.lower() for heading in re.findall(r"^#+ (\w+)$", RUNBOOK.read_text("utf-8"), re.MULTILINE)}
    base = repository_address() + "/blob/main/docs/runbook.md#"
    alerts = alerts_of(OBSERVABILITY)

    for alert in alerts:
        assert base + alert["alert"].lower() == alert["annotations"]["runbook_url"]
        assert alert["alert"].lower() in sections
        assert {"summary", "description", "runbook_url"} == set(alert["annotations"])
        assert alert["labels"]["severity"] in ("critical", "warning")
    assert len(alerts) == len({alert["alert"] for alert in alerts})


def test_the_runbook_tells_of_no_alert_that_is_not_there():
    sections = set(re.findall(r"^#+ (Sentinel\w+)$", RUNBOOK.read_text("utf-8"), re.MULTILINE))

    assert {alert["alert"] for alert in alerts_of(OBSERVABILITY)} == sections


@pytest.mark.parametrize("alert, stage", [
    ("SentinelFetchLate", "data-fetch"), ("SentinelFeaturesLate", "spark-preprocess"),
    ("SentinelTrainingLate", "ml-training"),
])
def test_a_stage_is_late_after_missing_at_least_two_runs(alert, stage):
    [expression] = [one["expr"] for one in alerts_of(OBSERVABILITY) if one["alert"] == alert]
    limit, seconds = re.search(r"> (\d+) \* (\d+)", expression).groups()

    assert f'cronjob="{stage}"' in expression
    assert int(limit) * int(seconds) >= 3 * 3600 * hours_between_runs(stage)


def test_the_pod_monitor_finds_the_scorers_port_and_colour():
    monitor = yaml.safe_load((OBSERVABILITY / "model-serving-pod-monitor.yaml").read_text("utf-8"))["spec"]
    rollout = yaml.safe_load((ROOT / "argo-apps/base/serving/model-serving-rollout.yaml").read_text("utf-8"))["spec"]
    [container] = rollout["template"]["spec"]["containers"]

    assert monitor["selector"]["matchLabels"].items() <= rollout["template"]["metadata"]["labels"].items()
    assert [port["name"] for port in container["ports"]] == [one["port"] for one in monitor["podMetricsEndpoints"]]
    assert set(monitor["podTargetLabels"]) == set(rollout["strategy"]["blueGreen"]["activeMetadata"]["labels"])
    assert {"sentinel_colour"} == {re.sub(r"\W", "_", name) for name in monitor["podTargetLabels"]}


def test_the_dashboard_explains_every_panel_and_names_its_unit():
    dashboard = json.loads((OBSERVABILITY / "sentinel-dashboard.json").read_text("utf-8"))

    for panel in dashboard["panels"]:
        assert panel["title"] and panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"]
    assert len(dashboard["panels"]) == len({panel["id"] for panel in dashboard["panels"]})


def names_in(expression: str) -> set[str]:
    """Return the metrics that a PromQL expression names."""
    bare = re.sub(r'"[^"]*"', "", expression)
    bare = LABELS.sub(" ", re.sub(r"\{[^}]*\}|\[[^\]]*\]", " ", bare))
    return {name for name in re.findall(r"[a-zA-Z_:][\w:]*(?!\w*\s*\()(?![\w:])", bare)
            if name not in WORDS and not re.search(rf"\b{re.escape(name)}\s*\(", bare)}


def alert_expressions() -> Iterator[str]:
    for group in read_groups(OBSERVABILITY):
        yield from (rule["expr"] for rule in group["rules"])


def dashboard_expressions() -> Iterator[str]:
    dashboard: dict[str, Any] = json.loads((OBSERVABILITY / "sentinel-dashboard.json").read_text("utf-8"))
    yield from (target["expr"] for panel in dashboard["panels"] for target in panel["targets"])


def repository_address() -> str:
    [path] = (ROOT / "argo-apps/applications/production").glob("sentinel-serving-application.yaml")
    address: str = yaml.safe_load(path.read_text("utf-8"))["spec"]["source"]["repoURL"]
    return address.removesuffix(".git")


def hours_between_runs(stage: str) -> int:
    """Return the hours between two runs of a CronJob; only the forms that ours have are known."""
    cron = yaml.safe_load((ROOT / f"argo-apps/base/batch/{stage}-cronjob.yaml").read_text("utf-8"))
    _, hour, *days = cron["spec"]["schedule"].split()
    assert ["*", "*", "*"] == days
    return 1 if hour == "*" else int(hour[2:]) if hour.startswith("*/") else 24
