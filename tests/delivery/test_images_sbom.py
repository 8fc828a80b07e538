"""What the lists of an image's contents say; of real images where `make test-images` names some."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from delivery.image_tree import ImageTree
from delivery.licences import list_licences
from delivery.sbom import describe_image, main, read_packages
from sentinel.errors import FixNeededError
from tests.delivery.tried_images import IMAGES, pinned

DASHES = str.maketrans("._", "--")
STATUS = """\
Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.36-9+deb12u10
Description: GNU C Library
 Version: not a field

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1:1.0
"""


def test_packages_are_those_that_are_installed():
    [package] = read_packages(STATUS)

    assert ("libc6", "2.36-9+deb12u10") == (package["name"], package["version"])
    assert "pkg:deb/debian/libc6@2.36-9%2Bdeb12u10?arch=amd64" == package["purl"]


def test_licences_are_listed_once_with_all_their_images():
    licences = [{"license": {"id": "Apache-2.0"}}]
    boto = {"name": "boto3", "version": "1.2", "purl": "pkg:pypi/boto3@1.2", "licenses": licences}
    silent = {"name": "silent", "version": "3", "purl": "pkg:pypi/silent@3"}
    table = list_licences({"data-fetch": {"components": [boto, *read_packages(STATUS)]},
                           "ml-training": {"components": [boto, silent]}})

    assert ["| Apache-2.0 | boto3 1.2 | data-fetch, ml-training |", "| not stated | silent 3 | ml-training |"] == \
        table.splitlines()[4:]


def test_image_that_is_not_there_is_told(tmp_path, monkeypatch, capsys):
    (tmp_path / "docker").write_text("#!/bin/sh\necho 'Unable to find image' >&2; exit 125\n")
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    assert FixNeededError.exit_code == main(["data-fetch", "--folder", str(tmp_path / "lists")])
    assert "Unable to find image; build it first: make images" in capsys.readouterr().err


@pytest.mark.parametrize("licence, code", [("MIT", 0), ("AGPL-3.0-only", FixNeededError.exit_code)])
def test_licence_that_was_not_accepted_ends_with_2_after_all_is_listed(tmp_path, monkeypatch, capsys, licence, code):
    component = {"name": "a", "version": "1", "purl": "pkg:pypi/a@1", "licenses": [{"expression": licence}]}
    found = {"components": [component], "metadata": {}}
    (tmp_path / "docker").write_text(f"#!/bin/sh\ncase \"$*\" in *status) ;; *) echo '{json.dumps(found)}' ;; esac\n")
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    assert code == main(["data-fetch", "--folder", str(tmp_path / "lists")])
    assert {"data-fetch.cdx.json", "licences.md"} == {path.name for path in (tmp_path / "lists").iterdir()}
    assert bool(code) == ("a 1: AGPL-3.0-only" in capsys.readouterr().err)


@pytest.mark.parametrize("stage", IMAGES)
def test_list_of_an_image_is_valid_and_holds_all_that_is_pinned(stage, tmp_path: Path):
    name = IMAGES[stage]
    document = describe_image(ImageTree(stage, name.rpartition(":")[2], "", datetime.now(UTC)), name)
    listed = {f"{one['name'].lower().translate(DASHES)}@{one['version']}" for one in document["components"]
              if one["purl"].startswith("pkg:pypi/")}

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(document)) is None
    assert set() == {f"{name}@{version}" for name, version in pinned(stage).items()} - listed
    assert "libc6" in {one["name"] for one in document["components"]}
