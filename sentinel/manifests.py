"""What changed lines of dependency manifests and lock files say: packages, where they come from, which version."""

import re

JSON_DEPENDENCY = re.compile(r"^\s*\"((?:@[\w.-]{1,100}/)?[\w.-]{1,100})\"\s*:\s*\"(?:[\^~<>=v]*\d|\*|latest|npm:|git|"
                             r"https?:|github:|file:|workspace:|[\w.-]+/[\w.-]+)", re.MULTILINE)
LINE_DEPENDENCY = re.compile(r"^\s*(?:require\s+|gem\s+[\"']|implementation\s*\(?[\"']|-\s+)?((?:[\w-]+[./:])*[A-Za-z]"
                             r"[\w.-]{1,100}(?:/[\w.-]+)*)[\"']?\s*(?:\[[\w,]+\])?\s*(?:[=~<>!^]=?|@|,|:\d|\s+v\d)",
                             re.MULTILINE)
NO_DEPENDENCY = frozenset({
    "version", "name", "node", "npm", "engines", "main", "license", "description", "python", "go", "types", "type",
    "module", "private", "homepage", "repository", "url", "author", "edition",
})
ADDRESS = re.compile(r"\b(?:https?|ftp|git|ssh)://(?:[^\s/@\"'`<>]{0,64}@)?([A-Za-z0-9._\[\]:-]{3,253})")
# What stands before the address of something that is fetched, in lock files and manifests; others are home pages.
FETCHED = re.compile(r"(?:\b(?:resolved|registry|source|tarball|remote|git|index|index-url|find-links)\b[\"']?\s?"
                     r"[:=]?\s?[\"']?|\burl\s?[=(]?\s?[\"']|[\"'\s]@\s|\b(?:registry|sparse|git)\+)"
                     r"(?:(?:registry|sparse|git)\+)?$")
ARCHIVE = re.compile(r"[^\s\"'<>]{0,300}\.(?:tgz|zip|tar\.\w{2,4}|whl|crate|gem|jar|git)\b")
VERSION = re.compile(r"\d{1,9}(?:\.\d{1,9}){1,3}")
MOST_NAMES = 64
LONGEST_LINE = 300
BEFORE_ADDRESS = 40  # characters that are looked at


def dependencies_of(added: str) -> frozenset[str]:
    """Return the packages that added lines name, in lower case."""
    if not added:
        return frozenset()
    added = "\n".join(line for line in added.split("\n") if len(line) <= LONGEST_LINE)
    names = {name.lower() for name in JSON_DEPENDENCY.findall(added)}
    if not names:
        names = {name.lower().rstrip(".,") for name in LINE_DEPENDENCY.findall(added)}
    return frozenset(sorted(names - NO_DEPENDENCY)[:MOST_NAMES])


def sources_of(added: str) -> frozenset[str]:
    """Return the hosts from which added lines say that packages are fetched."""
    if "://" not in added:
        return frozenset()
    hosts = {found[1].lower().rstrip(".:") for found in ADDRESS.finditer(added)
             if FETCHED.search(added, max(0, found.start() - BEFORE_ADDRESS), found.start())
             or ARCHIVE.match(added, found.end())}
    return frozenset(sorted(hosts)[:MOST_NAMES])


def count_downgrades(patch: str) -> int:
    """Count the added lines that take the place of one with a later version, in a block of changed lines.

    The two are equal up to the version; so no format has to be known.
    """
    later: dict[str, tuple[int, ...]] = {}  # the lowest version of the removed lines of a block, by what precedes it
    n_downgrades = 0
    for line in patch.split("\n"):
        sign = line[:1]
        if sign not in ("-", "+"):
            later.clear()
        elif (sign == "-" or later) and len(line) <= LONGEST_LINE and "://" not in line:
            found = VERSION.search(line)
            if found is None:
                continue
            key, version = line[1:found.start()], tuple(map(int, found[0].split(".")))
            if sign == "-":
                later[key] = min(version, later.get(key, version))
            elif key in later:
                n_downgrades += _is_lower(version, later[key])
    return n_downgrades


def _is_lower(version: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Compare as many parts as both have."""
    n_parts = min(len(version), len(other))
    return version[:n_parts] < other[:n_parts]
