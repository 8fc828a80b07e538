"""Licences that nobody has looked at are refused; those of what the locks pin were looked at."""

import re
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from typing import Any

import pytest

from delivery.image_tree import FOLDERS, ROOT
from delivery.licences import ACCEPTED, REVIEWED, check_licences, refused_terms
from delivery.locks import LOCK, TORCH_LOCK, read_lock
from sentinel.errors import FixNeededError


def component(name: str, *licences: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "version": "1", "purl": f"pkg:pypi/{name}@1", "licenses": list(licences)}


def test_licences_that_are_not_accepted_are_all_named():
    good = [component("boto3", {"license": {"id": "Apache-2.0"}}),
            component("orjson", {"expression": "MPL-2.0 AND (Apache-2.0 OR MIT)"}),
            component("nvidia-cublas", {"license": {"name": "LicenseRef-NVIDIA-Proprietary"}}),
            {"name": "bash", "version": "5", "purl": "pkg:deb/debian/bash@5"}]
    bad = [component("viral", {"expression": "MIT AND AGPL-3.0-only"}), component("silent"),
           component("sold", {"license": {"name": "License :: Other/Proprietary License"}})]

    check_licences({"data-fetch": {"components": good}})
    with pytest.raises(FixNeededError) as caught:
        check_licences({"data-fetch": {"components": good}, "ml-training": {"components": bad}})

    listed = [line for line in str(caught.value).splitlines() if line.startswith("  - ")]
    assert ["  - silent 1: not stated", "  - sold 1: Other/Proprietary License", "  - viral 1: AGPL-3.0-only"] == listed


def test_one_of_two_alternatives_that_is_not_accepted_is_told():
    assert ["GPL-3.0-only"] == refused_terms("both", {"MIT OR GPL-3.0-only"})


def test_what_the_images_pin_has_licences_that_were_looked_at():
    found = {one.name: refused_terms(one.name, stated_by(one)) for one in installed()}

    assert {} == {name: terms for name, terms in found.items() if terms}
    assert len(found) > 100


def test_every_exception_is_of_something_that_an_image_pins_and_has_a_date():
    for pattern, reason in REVIEWED.items():
        assert [name for name in pinned() if re.fullmatch(pattern.replace("*", ".*"), name)], pattern
        assert re.search(r"\(\d{4}-\d\d-\d\d\)$", reason)
    assert not [one for one in ACCEPTED if "GPL" in one]


def pinned() -> set[str]:
    locks = [ROOT / folder / lock for folder in FOLDERS.values() for lock in (LOCK, TORCH_LOCK)]
    return {pin.name for path in locks if path.exists() for pin in read_lock(path.read_text())}


def installed() -> Iterator[Distribution]:
    """Yield what is installed here of what the images pin; another build of torch brings less."""
    for name in sorted(pinned()):
        try:
            yield distribution(name)
        except PackageNotFoundError:
            continue


def stated_by(one: Distribution) -> set[str]:
    """Return the expression, else the classifiers, else the first line of the licence."""
    expression = one.metadata.get("License-Expression")
    classifiers = {line.removeprefix("License :: ") for line in one.metadata.get_all("Classifier") or ()
                   if line.startswith("License :: ")}
    text = (one.metadata.get("License") or "").strip().partition("\n")[0]
    return {expression} if expression else classifiers or ({text} if text else set())
