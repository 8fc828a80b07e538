"""The made-up code base: files that are born, renamed and removed as the history goes on."""

import random
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

from sentinel.sources.simulated.words import THINGS

NEVER = 2**31


@dataclass(frozen=True, slots=True)
class Area:
    """One part of a code base: where its files lie, and where the tests of a file do."""

    directory: str
    extension: str
    n_files: int
    tests: str | None = None  # "{directory}/{name}_test.go"; None: no tests
    is_product: bool = True  # people work in it
    folders: tuple[str, ...] = ("",)
    first_files: tuple[str, ...] = ()  # whole paths


@dataclass(frozen=True, slots=True)
class Layout:
    """What kind of project a repository is."""

    repository: str
    areas: dict[str, Area]
    dependencies: tuple[tuple[str, str], ...]  # manifest and lock file
    build_files: tuple[str, ...]
    release_files: tuple[str, ...]
    sensitive_source: str  # where the planted oddities like to go
    install_script: str

    @property
    def product_areas(self) -> tuple[str, ...]:
        """Return the names of the areas in which people work."""
        return tuple(name for name, area in self.areas.items() if area.is_product)


@dataclass(slots=True)
class File:
    """A file over time; `born`, `renamed` and `gone` are positions in the history."""

    path: str
    born: int
    renamed: int = NEVER
    gone: int = NEVER
    later_path: str = ""

    def path_at(self, position: int) -> str:
        """Return the path that the file has at `position`."""
        return self.later_path if position >= self.renamed else self.path


@dataclass(slots=True)
class CodeBase:
    """All files of a repository, and which change brings, renames or removes which."""

    layout: Layout
    files: dict[str, list[File]] = field(default_factory=dict)  # by area, oldest first
    births: dict[int, File] = field(default_factory=dict)
    renames: dict[int, File] = field(default_factory=dict)
    removals: dict[int, File] = field(default_factory=dict)

    def pick(self, rng: random.Random, area: str, position: int, count: int) -> list[File]:
        """Return up to `count` different files of an area; the oldest are the busiest."""
        files = self.files[area]
        alive = bisect_right(files, position, key=lambda file: file.born)
        picked: dict[int, File] = {}
        for _ in range(count * 3):
            place = int(alive * rng.random() ** 2)
            if place < len(files) and files[place].gone > position and len(picked) < count:
                picked[place] = files[place]
        return list(picked.values())

    def tests_of(self, area: str, path: str) -> str | None:
        """Return the path of the tests of a file, or None where the area has no tests."""
        pattern = self.layout.areas[area].tests
        if pattern is None:
            return None
        directory, _, name = path.rpartition("/")
        return pattern.format(directory=directory, name=name.rpartition(".")[0], area=area)


def make_code_base(rng: random.Random, layout: Layout, growing: dict[str, list[int]],
                   refactorings: list[int]) -> CodeBase:
    """Make the files; `growing` gives, by area, the positions at which a change adds one."""
    code_base = CodeBase(layout)
    for name, area in layout.areas.items():
        paths = _paths(rng, area)
        files = [File(path, -1) for path in area.first_files]
        files += [File(next(paths), -1) for _ in range(area.n_files)]
        for position in growing.get(name, ()):
            files.append(File(next(paths), position))
            code_base.births[position] = files[-1]
        code_base.files[name] = files
    for position in refactorings:
        _refactor(rng, code_base, position)
    return code_base


def _refactor(rng: random.Random, code_base: CodeBase, position: int) -> None:
    """Let the change at `position` rename or remove one file, now and then."""
    found = code_base.pick(rng, rng.choice(code_base.layout.product_areas), position - 1, 1)
    if not found or found[0].renamed != NEVER or found[0].path == code_base.layout.sensitive_source:
        return
    if rng.random() < 0.6:
        directory, _, name = found[0].path.rpartition("/")
        found[0].later_path = f"{directory}/{rng.choice(THINGS)}_{name}"
        found[0].renamed = position
        code_base.renames[position] = found[0]
    else:
        found[0].gone = position
        code_base.removals[position] = found[0]


def _paths(rng: random.Random, area: Area) -> Iterator[str]:
    """Yield new paths of an area for ever."""
    names = [(first, second) for first in THINGS for second in ("", *THINGS) if first != second]
    rng.shuffle(names)
    for round_ in range(NEVER):
        for first, second in names:
            name = "_".join(filter(None, (first, second, str(round_ or ""))))
            folder = rng.choice(area.folders)
            yield "/".join(filter(None, (area.directory, folder, f"{name}{area.extension}")))
