"""What lines of manifests and lock files say, whatever their format."""

import pytest

from sentinel.manifests import count_downgrades, sources_of


@pytest.mark.parametrize("line", [
    '      "resolved": "https://quay.example/left-pad/-/left-pad-1.2.3.tgz",',
    '  resolved "https://quay.example/left-pad"',
    'source = "registry+https://quay.example/index"',
    'source = { registry = "https://quay.example/simple" }',
    'url = "https://quay.example/simple"',
    "  remote: https://quay.example/",
    "--extra-index-url https://quay.example/simple",
    "left-pad @ https://quay.example/left-pad",
    '"left-pad": "git+https://quay.example/left-pad",',
    '"left-pad": "git+ssh://git@quay.example/left-pad.git",',
    '      "url": "https://quay.example/repos/left-pad.zip",',
    "resolution: {integrity: sha512-x, tarball: https://quay.example/left-pad}",
    'maven { url "https://quay.example/releases" }',
])
def test_places_that_packages_come_from_are_found(line: str) -> None:
    assert {"quay.example"} == sources_of(line)


@pytest.mark.parametrize("line", [
    '"homepage": "https://quay.example",', '"funding": {"url": "https://quay.example/give"}',
    "# see https://quay.example",
])
def test_home_pages_are_no_sources(line: str) -> None:
    assert frozenset() == sources_of(line)


@pytest.mark.parametrize(("n_downgrades", "lines"), [
    (1, ['-    "left-pad": "^1.3.0",', '+    "left-pad": "^1.2.9",']),
    (1, ["-left-pad==2.0", "+left-pad==1.9.9"]),
    (1, [' name = "left-pad"', '-version = "1.10.0"', '+version = "1.9.0"']),
    (1, ["-\tquay.example/left-pad v1.2.0", "+\tquay.example/left-pad v1.1.0"]),
    (2, ["-a==2.1", "-b==2.2", "+a==2.0", "+b==2.1"]),
    (0, ["-left-pad==1.9", "+left-pad==1.10"]),
    (0, ["-left-pad==1.9.1", "+left-pad==1.9"]),
    (0, ["-left-pad==2.0", "+right-pad==1.0"]),
    (0, ["-left-pad==2.0", " berth==1.0", "+left-pad==1.0"]),
    (0, ["-see https://quay.example/2.0", "+see https://quay.example/1.0"]),
])
def test_versions_that_go_back_are_counted(n_downgrades: int, lines: list[str]) -> None:
    assert n_downgrades == count_downgrades("\n".join(["@@ -1 +1 @@", *lines]))
