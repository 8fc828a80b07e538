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
ADDRESS = re.compile(r"://(?:[^\s/@\"'`<>]{0,64}@)?([A-Za-z0-9._\[\]:-]{3,253})")
# What stands before the address of something that is fetched, in lock files and manifests; others are home pages.
FETCHED = re.compile(r"(?:\b(?:resolved|registry|source|tarball|remote|git|index|index-url|find-links)\b[\"']?\s?"
                     r"[:=]?\s?[\"']?|\burl\s?[=(]?\s?[\"']|[\"'\s]@\s|\b(?:registry|sparse|git)\+)"
                     r"(?:(?:registry|sparse|git)\+)?(?:https?|ftp|git|ssh)$")
ARCHIVE = re.compile(r"[^\s\"'<>]{0,300}\.(?:tgz|zip|tar\.\w{2,4}|whl|crate|gem|jar|git)\b")
CHANGED_LINES = re.compile(r"(?:\n[-+][^\n]*)+")
VERSION = re.compile(r"(?<![\d.])\d{1,9}(?:\.\d{1,9}){1,3}")
MOST_NAMES = 64
LONGEST_LINE = 300
BEFORE_ADDRESS = 40  # characters that are looked at


def dependencies_of(added: str) -> frozenset[str]:
    """Return the packages that added lines name, in lower case."""
    if not added:
        return frozenset()
    added = "\n".join([line for line in added.split("\n") if len(line) <= LONGEST_LINE])
    names = {name.lower() for name in JSON_DEPENDENCY.findall(added)}
    if not names:
        names = {name.lower().rstrip(".,") for name in LINE_DEPENDENCY.findall(added)}
    return frozenset(sorted(names - NO_DEPENDENCY)[:MOST_NAMES])


def sources_of(added: str) -> frozenset[str]:
    """Return the hosts from which added lines say that packages are fetched."""
    if "://" not in added:
        return frozenset()
    hosts = set[str]()
    for found in ADDRESS.finditer(added):
        host, start = found[1].lower().rstrip(".:"), found.start()
        if host not in hosts and (FETCHED.search(added, max(0, start - BEFORE_ADDRESS), start)
                                  or ARCHIVE.match(added, found.end())):
            hosts.add(host)
    return frozenset(sorted(hosts)[:MOST_NAMES])


def count_downgrades(patch: str) -> int:
    """Count the added lines that take the place of one with a later version, in a block of changed lines.

    The two are equal up to the version; so no format has to be known.
    """
    patch, end, n_downgrades = f"\n{patch}", 0, 0
    while (start := patch.find("\n-", end)) >= 0:
        block = CHANGED_LINES.match(patch, start)
        end = len(patch) if block is None else block.end()
        if patch.find("\n+", start, end) >= 0:
            n_downgrades += _downgrades_in(patch[start + 1:end].split("\n"))
    return n_downgrades


def _downgrades_in(changed: list[str]) -> int:
    before: dict[str, str] = {}  # the lowest version of the removed lines, by what precedes it
    n_downgrades = 0
    for line in changed:
        if "." not in line or "://" in line or (found := VERSION.search(line, 1, LONGEST_LINE)) is None:
            continue
        key, version = line[1:found.start()], found[0]
        known = before.get(key)
        if line[0] == "-":
            before[key] = version if known is None or _is_lower(version, known) else known
        elif known is not None and known != version:
            n_downgrades += _is_lower(version, known)
    return n_downgrades


def _is_lower(version: str, other: str) -> bool:
    """Compare as many parts as both have."""
    pairs = list(zip(map(int, version.split(".")), map(int, other.split("."))))
    return [part for part, _ in pairs] < [part for _, part in pairs]
