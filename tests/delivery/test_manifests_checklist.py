"""The checklist of the delivery names rules, tests and make targets that are there."""

import re

from delivery.policies import RULES, name_of
from tests.delivery.code_facts import ROOT

CHECKLIST = (ROOT / "docs/delivery-checklist.md").read_text()
ROWS = re.findall(r"^\| ([0-9]+) \|", CHECKLIST, re.MULTILINE)


def test_every_item_has_its_row():
    assert list(range(1, 45)) == [int(number) for number in ROWS]


def test_every_rule_that_is_named_is_one():
    named = {name for row in CHECKLIST.splitlines() for part in re.findall(r"\brules? ((?:\*[a-z ]+\*(?:, )?)+)", row)
             for name in re.findall(r"\*([a-z ]+)\*", part)}

    assert len(named) > 20
    assert set() == named - {name_of(rule) for rule in RULES}


def test_every_test_that_is_named_is_there():
    named = set(re.findall(r"(test_\w+\.py)::(test_\w+)", CHECKLIST))
    there = {(path.name, test) for path in ROOT.glob("tests/**/test_*.py")
             for test in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)}

    alone = set(re.findall(r"`::(test_\w+)`", CHECKLIST))

    assert len(named) > 20
    assert set() == named - there
    assert set() == alone - {test for _, test in there}


def test_every_target_that_is_named_is_there():
    makefiles = "\n".join(path.read_text() for path in (ROOT / "Makefile", *ROOT.glob("delivery/*.mk")))
    named = set(re.findall(r"`make ([a-z-]+)`", CHECKLIST))

    missing = {target for target in named if not re.search(rf"^{target}:", makefiles, re.MULTILINE)}

    assert set() == missing
