"""What a path says: its directory, type and kind, and whether it is a sensitive place."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

PathKind = Literal["code", "test", "docs", "config", "data", "binary"]

REMEMBERED_PATHS = 16_384
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
CI = re.compile(r"^\.github/(workflows|actions)/|(^|/)action\.ya?ml$|^\.gitlab-ci|^\.circleci/|(^|/)jenkinsfile"
                r"|^\.travis\.yml|^azure-pipelines|^appveyor\.yml|^\.cirrus\.yml|^\.buildkite/|^\.drone\.yml")
BUILD = re.compile(r"(^|/)(setup\.py|makefile[^/]*|cmakelists\.txt|dockerfile[^/]*|build\.rs|configure(\.ac|\.in)?"
                   r"|[^/]*\.(m4|mk|cmake|gyp|gradle|nix|bazel)|build\.(xml|sh|js|py|zig)|gruntfile\.js|gulpfile\.js"
                   r"|webpack[^/]*\.js|rakefile|conftest\.py|binding\.gyp)$|[^/]*\.(sh|bash|zsh|ps1|bat|cmd)$")
POLICY = re.compile(r"(^|/)(codeowners|\.gitattributes|\.gitmodules|\.gitignore|\.npmrc|\.pypirc|\.yarnrc[^/]*"
                    r"|agents\.md|claude\.md|copilot-instructions\.md|security\.md|\.pre-commit-config\.yaml"
                    r"|dependabot\.ya?ml|renovate\.json5?)$|^\.(claude|cursor|husky|devcontainer|vscode)/")
TEST = re.compile(r"(^|/)(tests?|specs?|__tests__|testdata|fixtures?|testing)/|(^|/)(test_[^/]*|conftest\.py)$"
                  r"|[._-](test|spec|tests)\.[a-z0-9]+$|(test|tests|it|spec)\.(java|kt|scala|cs|php|swift)$|\.phpt$")
GENERATED = re.compile(r"(^|/)(dist|vendor|node_modules|third_party|generated|coverage|build|__snapshots__)/"
                       r"|\.min\.(js|css)$|\.(lock|sum|snap|map|pb\.go|svg)$|_pb2\.py$|\.generated\."
                       r"|(^|/)(package-lock\.json|pnpm-lock\.yaml|npm-shrinkwrap\.json)$")
DOCS_PLACE = re.compile(r"(^|/)(docs?|documentation|website|site|man)/|(^|/)(readme|changelog|license|authors"
                        r"|contributing|news|upgrading|changes|history)[^/]*$")

SHELL_NAME = re.compile(r"[`$;|&<>\"'\n\r\t*?!{}]")
HIDDEN_CHARACTER = re.compile("[\u200b-\u200f\u2060-\u2069\u202a-\u202e\u00ad\ufff9-\ufffb\U000e0000-\U000e007f]")


@dataclass(frozen=True, slots=True)
class PathFacts:
    """What one path says; everything is lower case but `directory`."""

    directory: str  # parent, "" at the root
    top: str  # first part, or "." at the root
    name: str
    extension: str  # without the dot; the name itself where it has none
    kind: PathKind
    sensitive: str | None  # "ci", "build", "dependency", "policy", or None
    is_generated: bool
    is_hostile: bool  # holds what a shell or a reader's eye takes otherwise
    words: frozenset[str]


@lru_cache(maxsize=REMEMBERED_PATHS)
def path_facts(path: str) -> PathFacts:
    """Return what `path` says."""
    directory, _, name = path.rpartition("/")
    lowered, name = path.lower(), name.lower()
    stem, dot, extension = name.rpartition(".")
    extension = extension[:16] if dot and stem else name[:32]
    return PathFacts(
        directory=directory, top=directory.split("/", 1)[0] or ".", name=name, extension=extension,
        kind=_kind_of(lowered, extension), sensitive=_sensitive_place(lowered, name),
        is_generated=GENERATED.search(lowered) is not None,
        is_hostile=is_hostile_name(path), words=words_of(path),
    )


@lru_cache(maxsize=REMEMBERED_PATHS)
def words_of(text: str) -> frozenset[str]:
    """Return the words of three letters and more, camelCase split, lower case."""
    return frozenset(map(str.lower, (ASCII_WORD if text.isascii() else WORD).findall(text[:2_048])))


def is_hostile_name(name: str) -> bool:
    """Tell whether a branch or path holds characters of a shell, or invisible ones."""
    return SHELL_NAME.search(name) is not None or not name.isascii() and HIDDEN_CHARACTER.search(name) is not None


def _kind_of(path: str, extension: str) -> PathKind:
    if TEST.search(path):
        return "test"
    if extension in BINARY:
        return "binary"
    if extension in DATA:
        return "data"
    if DOCS_PLACE.search(path) or extension in DOCS:
        return "docs"
    return "config" if extension in CONFIG else "code"


def _sensitive_place(path: str, name: str) -> str | None:
    if CI.search(path):
        return "ci"
    if name in LOCK_OF_MANIFEST or name in MANIFESTS:
        return "dependency"
    if BUILD.search(path):
        return "build"
    return "policy" if POLICY.search(path) else None
