"""Each rule for the manifests turns red when it is broken, and no other rule does."""

import pytest

from delivery.policies import RULES, broken_rules, name_of
from tests.delivery.mutations import MUTATIONS, mutate


@pytest.mark.parametrize("mutation", MUTATIONS, ids=str)
def test_exactly_the_broken_rule_tells(mutation):
    assert [mutation.rule] == sorted(broken_rules(mutate(mutation)))


def test_every_rule_has_a_mutation():
    assert {name_of(rule) for rule in RULES} == {mutation.rule for mutation in MUTATIONS}
