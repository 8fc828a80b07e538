"""All rules for the manifests, and what breaks them; each rule is a function whose docstring says it."""

from delivery import (
    policies_argo, policies_batch, policies_network, policies_pods, policies_rollout, policies_settings,
)
from delivery.policies_seen import Rule, Seen

RULES: tuple[Rule, ...] = (
    *policies_argo.RULES, *policies_batch.RULES, *policies_rollout.RULES, *policies_pods.RULES,
    *policies_network.RULES, *policies_settings.RULES,
)


def name_of(rule: Rule) -> str:
    """Return a rule's name, as it is printed: "images by digest"."""
    return rule.__name__.replace("_", " ")


def broken_rules(seen: Seen) -> dict[str, list[str]]:
    """Return what breaks each rule, by the rule's name; empty where all is well."""
    found = {name_of(rule): list(rule(seen)) for rule in RULES}
    return {name: texts for name, texts in found.items() if texts}
