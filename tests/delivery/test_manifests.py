"""What the manifests are rendered to, whether it is valid, and what happens to a broken kustomization."""

import shutil
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import pytest

from delivery.policies import broken_rules
from delivery.policies_seen import Seen, quantity
from delivery.render import (
    ENVIRONMENTS, KUSTOMIZE, Rendering, as_core_kinds, build, pod_templates, render, render_application,
)
from delivery.validate import SCHEMAS, problems_of
from sentinel.errors import FixNeededError, NotFoundError
from tests.delivery.code_facts import ROOT, code, renderings
from tests.delivery.mutations import CONTAINER, CRON, FETCH, PROJECT, SCORER, SERVING, drop, find, put

COMPONENTS = ("prometheus-analysis", "autoscaling")
EXAMPLES = sorted(path.parent.name for path in (ROOT / "argo-apps/examples").glob("*/kustomization.yaml"))


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a copy of the manifests that may be broken."""
    shutil.copytree(ROOT / "argo-apps", tmp_path / "argo-apps")
    return tmp_path


def replace(root: Path, path: str, old: str, new: str) -> None:
    """Replace text in a file, which must be there."""
    text = (root / path).read_text()
    if old not in text:
        raise LookupError(f"{path} does not hold {old!r}")
    (root / path).write_text(text.replace(old, new))


def all_of(rendering: Rendering) -> list[dict]:
    return [rendering.project, *rendering.applications.values(), *rendering.all_objects()]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_object_is_valid(environment):
    problems = [text for one in all_of(renderings()[environment]) for text in problems_of(one, ROOT / SCHEMAS)]

    assert [] == problems


@pytest.mark.parametrize(("change", "told"), [
    (put(*SCORER, "spec/strategy/blueGreen/autoPromotionEnable", False), "autoPromotionEnable"),
    (put(*SCORER, "spec/strategy/blueGreen/scaleDownDelaySecond", 60), "scaleDownDelaySecond"),
    (drop(*SCORER, "spec/strategy/blueGreen/activeService"), "activeService"),
    (put(*SCORER, f"{CONTAINER}/resorces", {}), "resorces"),
    (put(*FETCH, f"{CRON}/activeDeadlineSecond", 60), "activeDeadlineSecond"),
    (put(*SERVING, "spec/syncPolicy/retry/limits", 5), "limits"),
    (put(*PROJECT, "spec/destination", []), "destination"),
    (put("Service", "model-serving-active", "spec/ports/0/port", "http"), "http"),
    (put("Service", "model-serving-active", "kind", "Servise"), "Servise"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_typo_is_told(change: Callable[[Rendering], None], told):
    rendering = deepcopy(renderings()["staging"])
    change(rendering)
    changed = [one for one in all_of(rendering) if one not in all_of(renderings()["staging"])]

    problems = [text for one in changed for text in problems_of(one, ROOT / SCHEMAS)]

    assert told in " ".join(problems)


def test_pods_of_a_rollout_are_shown_to_checkers_that_know_no_rollout():
    rollout = find(renderings()["staging"], *SCORER)

    [deployment] = as_core_kinds(rollout)

    assert ("apps/v1", "Deployment") == (deployment["apiVersion"], deployment["kind"])
    assert pod_templates(rollout) == pod_templates(deployment)


def test_base_is_the_sum_of_what_the_applications_take(checkout):
    whole = build(checkout / "argo-apps/base", ROOT / KUSTOMIZE)
    parts = [one for part in ("shared", "batch", "serving")
             for one in build(checkout / "argo-apps/base" / part, ROOT / KUSTOMIZE)]

    assert sorted(map(repr, parts)) == sorted(map(repr, whole))


def test_values_of_the_environment_reach_the_pods():
    addresses = {environment: find(rendering, "ConfigMap", "data-fetch-settings")["data"]["VAULT_ADDR"]
                 for environment, rendering in renderings().items()}

    assert {name: f"https://vault.{name}.example.com:8200" for name in ENVIRONMENTS} == addresses


def test_training_has_room_on_the_disk_for_the_features_that_it_reads():
    """They lie in a file without a name under /tmp, which in memory would count against the pod's limit."""
    [pod] = pod_templates(find(renderings()["staging"], "CronJob", "ml-training"))
    [folder] = [one["emptyDir"] for one in pod["spec"]["volumes"] if one["name"] == "tmp"]

    assert "" == folder.get("medium", "")
    assert quantity(folder["sizeLimit"]) >= 2 * 2**30


def test_changed_setting_is_another_version_of_the_scorer(checkout):
    application = find(renderings()["staging"], *SERVING)
    before = find(renderings()["staging"], *SCORER)["spec"]["template"]
    replace(checkout, "argo-apps/base/serving/model-serving-settings.env", "WORKERS=2", "WORKERS=3")

    [after] = [one["spec"]["template"] for one in render_application(checkout, application, ROOT / KUSTOMIZE)
               if one["kind"] == "Rollout"]

    assert before != after


def test_rollout_without_the_transformer_s_configuration_names_what_is_not_there(checkout):
    """The trap of kustomize: it leaves names inside kinds alone that it does not know, without a word."""
    replace(checkout, "argo-apps/base/serving/kustomization.yaml", "configurations:", "# configurations:")
    broken = deepcopy(renderings()["staging"])
    broken.objects["sentinel-serving"] = render_application(checkout, find(broken, *SERVING), ROOT / KUSTOMIZE)

    told = broken_rules(Seen(broken, renderings()["production"], code()))

    assert "references lead somewhere" in told


@pytest.mark.parametrize("components", [(name,) for name in COMPONENTS] + [COMPONENTS], ids=" and ".join)
def test_rules_hold_with_the_components_that_a_cluster_may_take(components):
    both = deepcopy(renderings())
    for rendering in both.values():
        application = find(rendering, *SERVING)
        application["spec"]["source"]["kustomize"]["components"] = [f"../../components/{name}" for name in components]
        rendering.objects["sentinel-serving"] = render_application(ROOT, application)

    assert {} == broken_rules(Seen(both["staging"], both["production"], code()))
    served = both["staging"].objects["sentinel-serving"]
    assert [] == [text for one in served for text in problems_of(one, ROOT / SCHEMAS)]


@pytest.mark.parametrize("example", EXAMPLES)
def test_example_is_valid(example):
    objects = build(ROOT / "argo-apps/examples" / example, ROOT / KUSTOMIZE)

    assert [] == [text for one in objects for text in problems_of(one, ROOT / SCHEMAS)]


def test_broken_kustomization_is_told_with_the_reason(checkout):
    replace(checkout, "argo-apps/base/batch/kustomization.yaml", "data-fetch-cronjob.yaml", "data-fetsh-cronjob.yaml")

    with pytest.raises(FixNeededError, match="cannot build batch.*data-fetsh-cronjob.yaml"):
        render(checkout, "staging", ROOT / KUSTOMIZE)


def test_option_that_the_renderer_does_not_know_is_refused(checkout):
    application = find(renderings()["staging"], *SERVING)
    changed = {**application, "spec": {**application["spec"], "source": {
        **application["spec"]["source"], "kustomize": {"namePrefix": "my-"}}}}

    with pytest.raises(FixNeededError, match="namePrefix"):
        render_application(checkout, changed, ROOT / KUSTOMIZE)


def test_missing_kustomize_is_told_with_the_way_to_get_it(checkout):
    with pytest.raises(NotFoundError, match="make build/bin/kustomize"):
        render(checkout, "staging")
