"""The fault matrix names tests that exist, and its table tells what pytest told."""

import ast
from functools import cache
from pathlib import Path

import pytest

from tests.chaos.faults import FAULTS
from tests.chaos.table import read_outcomes, to_lines

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("test", sorted({test for one in FAULTS for test in one.tests}))
def test_matrix_names_a_test_that_exists(test):
    path, _, name = test.partition("::")

    assert name in functions_of(path)


def test_every_fault_of_this_folder_is_in_the_matrix():
    named = {test for one in FAULTS for test in one.tests}

    here = {f"tests/chaos/{path.name}::{name}" for path in (ROOT / "tests/chaos").glob("test_*.py")
            if path.name != Path(__file__).name for name in functions_of(f"tests/chaos/{path.name}")}

    assert set() == here - named


def test_failed_and_missing_tests_are_told(tmp_path):
    path, _, name = FAULTS[0].tests[0].partition("::")
    results = tmp_path / "results.xml"
    results.write_text(f'<testsuites><testsuite><testcase file="{path}" name="{name}[a]" time="1"><properties>'
                       '<property name="lost" value="2"/></properties><failure/></testcase></testsuite></testsuites>')

    lines = to_lines(read_outcomes([results]))

    assert "**1 of 1 failed**; a: lost 2" in lines[2]
    assert "| not run |" in lines[3]


@cache
def functions_of(path: str) -> frozenset[str]:
    body = ast.parse((ROOT / path).read_text()).body
    return frozenset(one.name for one in body if isinstance(one, ast.FunctionDef) and one.name.startswith("test_"))
