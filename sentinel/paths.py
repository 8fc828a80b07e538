"""What a path says: its directory, type and kind, and whether it is a sensitive place."""

import re
from functools import lru_cache
from typing import Literal, NamedTuple

PathKind = Literal["code", "test", "docs", "config", "data", "binary"]

REMEMBERED_PATHS, REMEMBERED_FOLDERS = 16_384, 2_048
MOST_OF_HIDDEN = 64  # characters of a hidden name
MOST_READ = 2_048  # characters of a text whose words are looked at
WORD = re.compile(r"[A-Z]?[^\W\d_A-Z]{2,}|[A-Z]{3,}")
ASCII_WORD = re.compile(r"[A-Z]?[a-z]{2,}|[A-Z]{3,}")  # finds the same in half the time
DOCS = frozenset({"md", "rst", "txt", "adoc", "markdown", "mdx", "html", "tex", "org", "pod", "po"})
CONFIG = frozenset({"json", "yml", "yaml", "toml", "ini", "cfg", "conf", "xml", "properties", "lock", "editorconfig"})
BINARY = frozenset({
    "png", "jpg", "jpeg", "gif", "ico", "svgz", "pdf", "zip", "gz", "xz", "bz2", "7z", "tar", "jar", "war", "class",
    "exe", "dll", "so", "dylib", "a", "o", "bin", "wasm", "pyc", "woff", "woff2", "ttf", "eot", "mp3", "mp4", "whl",
})
DATA = frozenset({"csv", "tsv", "snap", "svg", "map", "sum", "golden", "out", "log"})
LOCK_OF_MANIFEST = {
    "package-lock.json": "package.json", "npm-shrinkwrap.json": "package.json", "yarn.lock": "package.json",
    "pnpm-lock.yaml": "package.json", "bun.lockb": "package.json", "go.sum": "go.mod", "cargo.lock": "cargo.toml",
    "gemfile.lock": "gemfile", "composer.lock": "composer.json", "poetry.lock": "pyproject.toml",
    "uv.lock": "pyproject.toml", "pipfile.lock": "pipfile",
}
MANIFESTS = frozenset(LOCK_OF_MANIFEST.values()) | {
    "requirements.txt", "setup.cfg", "pom.xml", "build.gradle", "build.gradle.kts", "mix.exs", "pubspec.yaml",
}
# Alternatives share their first part, which is then tried once at each place.
CI = re.compile(r"^\.(?:github/(workflows|actions)/|gitlab-ci|circleci/|travis\.yml|cirrus\.yml|buildkite/|drone\.yml)"
                r"|^(?:azure-pipelines|appveyor\.yml)|(^|/)(?:action\.ya?ml$|jenkinsfile)")
BUILD = re.compile(r"(^|/)(setup\.py|makefile[^/]*|cmakelists\.txt|dockerfile[^/]*|build\.rs|configure(\.ac|\.in)?"
                   r"|build\.(xml|sh|js|py|zig)|gruntfile\.js|gulpfile\.js|webpack[^/]*\.js|rakefile|conftest\.py)$"
                   r"|\.(m4|mk|cmake|gyp|gradle|nix|bazel|sh|bash|zsh|ps1|bat|cmd)$")
POLICY = re.compile(r"(^|/)(codeowners|\.gitattributes|\.gitmodules|\.gitignore|\.npmrc|\.pypirc|\.yarnrc[^/]*"
                    r"|agents\.md|claude\.md|copilot-instructions\.md|security\.md|\.pre-commit-config\.yaml"
                    r"|dependabot\.ya?ml|renovate\.json5?)$|^\.(claude|cursor|husky|devcontainer|vscode)/")
TEST = re.compile(r"(^|/)(?:(tests?|specs?|__tests__|testdata|fixtures?|testing)/|(test_[^/]*|conftest\.py)$)"
                  r"|[._-](test|spec|tests)\.[a-z0-9]+$|(test|tests|it|spec)\.(java|kt|scala|cs|php|swift)$|\.phpt$")
GENERATED = re.compile(r"(^|/)(?:(dist|vendor|node_modules|third_party|generated|coverage|build|__snapshots__)/"
                       r"|(package-lock\.json|pnpm-lock\.yaml|npm-shrinkwrap\.json)$)"
                       r"|\.(?:(min\.(js|css)|lock|sum|snap|map|pb\.go|svg)$|generated\.)|_pb2\.py$")
DOCS_PLACE = re.compile(r"(^|/)(docs?|documentation|website|site|man)/|(^|/)(readme|changelog|license|authors"
                        r"|contributing|news|upgrading|changes|history)[^/]*$")

SHELL_NAME = re.compile(r"[`$;|&<>\"'\n\r\t*?!{}]")
HIDDEN_CHARACTER = re.compile("[\u200b-\u200f\u2060-\u2069\u202a-\u202e\u00ad\ufff9-\ufffb\U000e0000-\U000e007f]")


class PathFacts(NamedTuple):  # a frozen dataclass takes longer to make
    """What one path says; everything is lower case but `directory`."""

    directory: str  # parent, "" at the root
    top: str  # first part, or "." at the root
    name: str
    file_type: str  # the extension after an "e", as it is counted; the name itself where it has none
    kind: PathKind
    sensitive: str | None  # "ci", "build", "dependency", "policy", or None
    is_generated: bool
    is_hostile: bool  # holds what a shell or a reader's eye takes otherwise
    words: frozenset[str]
    words_of_name: frozenset[str]  # of the file alone
    hidden: str  # the first part that begins with a dot, "" where none does
    is_noteworthy: bool  # sensitive, generated, hostile, hidden or binary: most are not, and need no second look


class FolderFacts(NamedTuple):
    """What a folder says of all that lies in it."""

    is_ci: bool
    is_policy: bool
    is_generated: bool
    is_test: bool
    is_docs: bool
    is_hostile: bool
    words: frozenset[str]
    hidden: str


@lru_cache(maxsize=REMEMBERED_PATHS)
def path_facts(path: str) -> PathFacts:
    """Return what `path` says.

    No pattern reaches over a slash, so that the folder, which many paths share, and the name are looked at apart.
    """
    directory, slash, name = path.rpartition("/")
    folder, name = folder_facts(directory) if slash else ROOT, name.lower()
    stem, dot, extension = name.rpartition(".")
    extension = extension[:16] if dot and stem else name[:32]
    tail = slash + name  # what is anchored at the root must not be found in a name below it
    kind, sensitive = _kind_of(folder, tail, extension), _sensitive_place(folder, tail, name)
    is_generated = folder.is_generated or GENERATED.search(tail) is not None
    is_hostile = folder.is_hostile or is_hostile_name(name)
    hidden = folder.hidden or (name[:MOST_OF_HIDDEN] if name.startswith(".") else "")
    words_of_name = words_in(path[len(directory):]) if len(path) <= MOST_READ else words_in(path)
    return PathFacts(
        directory=directory, top=directory.split("/", 1)[0] or ".", name=name, file_type=f"e{extension}",
        kind=kind, sensitive=sensitive, is_generated=is_generated, is_hostile=is_hostile,
        words=folder.words | words_of_name, words_of_name=words_of_name, hidden=hidden,
        is_noteworthy=sensitive is not None or is_generated or is_hostile or hidden != "" or kind == "binary",
    )


@lru_cache(maxsize=REMEMBERED_FOLDERS)
def folder_facts(directory: str) -> FolderFacts:
    """Return what a folder says, by its path without the slash at the end."""
    lowered = directory.lower() + "/"
    return FolderFacts(
        is_ci=CI.search(lowered) is not None, is_policy=POLICY.search(lowered) is not None,
        is_generated=GENERATED.search(lowered) is not None, is_test=TEST.search(lowered) is not None,
        is_docs=DOCS_PLACE.search(lowered) is not None, is_hostile=is_hostile_name(directory),
        words=words_in(directory),
        hidden=next((part[:MOST_OF_HIDDEN] for part in lowered.split("/") if part.startswith(".")), ""),
    )


@lru_cache(maxsize=REMEMBERED_PATHS)
def words_of(text: str) -> frozenset[str]:
    """Return the words of three letters and more, camelCase split, lower case."""
    return words_in(text)


def words_in(text: str) -> frozenset[str]:
    """Return what `words_of` does, without remembering it."""
    return frozenset(map(str.lower, (ASCII_WORD if text.isascii() else WORD).findall(text[:MOST_READ])))


def is_hostile_name(name: str) -> bool:
    """Tell whether a branch or path holds characters of a shell, or invisible ones."""
    return SHELL_NAME.search(name) is not None or not name.isascii() and HIDDEN_CHARACTER.search(name) is not None


def _kind_of(folder: FolderFacts, tail: str, extension: str) -> PathKind:
    if folder.is_test or TEST.search(tail):
        return "test"
    if extension in BINARY:
        return "binary"
    if extension in DATA:
        return "data"
    if folder.is_docs or extension in DOCS or DOCS_PLACE.search(tail):
        return "docs"
    return "config" if extension in CONFIG else "code"


def _sensitive_place(folder: FolderFacts, tail: str, name: str) -> str | None:
    if folder.is_ci or CI.search(tail):
        return "ci"
    if name in LOCK_OF_MANIFEST or name in MANIFESTS:
        return "dependency"
    if BUILD.search(tail):
        return "build"
    return "policy" if folder.is_policy or POLICY.search(tail) else None


ROOT = FolderFacts(False, False, False, False, False, False, frozenset(), "")
