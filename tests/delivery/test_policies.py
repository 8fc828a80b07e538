"""The rules for the rendered manifests hold in both environments, and the stages can live with what they get."""

import pytest

from delivery.policies import RULES, broken_rules, name_of
from delivery.policies_pods import RULES as POD_RULES
from delivery.policies_pods import no_token_of_the_cluster, recommended_labels, token_for_vault
from delivery.policies_seen import Seen, pods, quantity, seconds, variables_of
from delivery.render import ENVIRONMENTS, KUSTOMIZE, Rendering, build
from sentinel.settings import load_settings
from sentinel.vault_settings import VaultSettings
from tests.delivery.code_facts import ROOT, SETTINGS, code, seen

SECRETS = {"MONGODB_URI": "mongodb://127.0.0.1"}
OF_STAGES = (no_token_of_the_cluster, recommended_labels, token_for_vault)  # what only pods of ours keep to


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("rule", RULES, ids=name_of)
def test_rule_holds(rule, environment):
    assert [] == list(rule(seen(environment)))


def test_what_breaks_a_rule_is_told_by_the_rule_s_name():
    assert {} == broken_rules(seen("staging"))


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("stage", SETTINGS)
def test_settings_of_a_stage_load_from_what_its_pod_gets(stage, environment, monkeypatch):
    """Secrets stand in for Vault's; without VAULT_ADDR they may come from the environment."""
    whole = seen(environment)
    [pod] = [one for one in pods(whole) if one.stage == stage and one.owner["kind"] != "AnalysisTemplate"]
    given = variables_of(whole, pod)
    for name, value in {**SECRETS, **given}.items():
        monkeypatch.setenv(name, value)
    vault = load_settings(VaultSettings)
    monkeypatch.delenv("VAULT_ADDR")

    assert f"sentinel-{environment}-{stage}" == vault.vault_role
    for kind in SETTINGS[stage]:
        load_settings(kind)


def test_pods_of_the_examples_are_as_restricted_as_ours():
    objects = build(ROOT / "argo-apps/examples", ROOT / KUSTOMIZE)
    trial = Rendering("staging", {}, {}, {"examples": objects})

    assert [] == [text for rule in POD_RULES if rule not in OF_STAGES for text in rule(Seen(trial, trial, code()))]


def test_exit_codes_of_the_manifests_are_those_of_the_errors():
    assert (frozenset({1, 2, 65}), frozenset({75})) == (code().final_codes, code().temporary_codes)


@pytest.mark.parametrize(("text", "number"), [("500m", 0.5), ("2", 2), ("1Gi", 2**30), ("128Mi", 2**27)])
def test_quantities_are_read_as_kubernetes_does(text, number):
    assert number == quantity(text)


@pytest.mark.parametrize(("text", "number"), [("10s", 10), ("2m", 120), ("1h", 3600)])
def test_durations_are_read_as_argo_does(text, number):
    assert number == seconds(text)
