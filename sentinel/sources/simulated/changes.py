"""What the people of the made-up history change: an ordinary pull request of each kind."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from sentinel.pull_request import ChangedFile
from sentinel.sources.simulated import words
from sentinel.sources.simulated.code_base import CodeBase
from sentinel.sources.simulated.people import ChangeKind, Person

TITLES = {
    "feature": words.FEATURE_TITLES, "fix": words.FIX_TITLES, "docs": words.DOCS_TITLES, "tests": words.TEST_TITLES,
    "refactoring": words.REFACTOR_TITLES, "build": words.BUILD_TITLES,
}
PREFIXES = {"feature": "feat", "fix": "fix", "docs": "docs", "tests": "test", "refactoring": "refactor", "build": "ci"}
LINES_BY_KIND = {"feature": 2.2, "fix": 0.7, "docs": 0.5, "tests": 1.5, "refactoring": 1.6, "build": 0.4}
SWEEPING_SHARE = 0.02  # of refactorings: a header or a format everywhere


@dataclass(frozen=True, slots=True)
class Change:
    """What a pull request says and does, before it has an author and a time."""

    title: str
    body: str | None
    head_ref: str
    files: tuple[ChangedFile, ...]
    commits: int = 1


def make_change(rng: random.Random, kind: ChangeKind, person: Person, code_base: CodeBase, position: int) -> Change:
    """Return an ordinary change of `kind`, as `person` would make it at `position` of the history."""
    if kind == "dependencies":
        return _dependency_bump(rng, code_base)
    if kind == "generated":
        return _regenerated(rng, code_base, position)
    if kind == "release":
        return _release(code_base, position)
    files = FILES_BY_KIND[kind](rng, person, code_base, position)
    return Change(
        _title(rng, kind, person), _body(rng, person, position), _branch(rng, kind, person, position),
        _unique(files), 1 + min(30, int(rng.expovariate(1.0) * (1 + len(files) / 4))),
    )


def modified(path: str, additions: int, deletions: int) -> ChangedFile:
    """Return a file that was there before."""
    return ChangedFile(path, "modified", additions, deletions)


def _lines(rng: random.Random, median: float) -> tuple[int, int]:
    """Draw added and deleted lines; the tail is as heavy as that of real changes."""
    added = max(1, round(median * rng.lognormvariate(0.0, 1.1)))
    return added, round(added * rng.choice((0, 0.1, 0.3, 0.5, 0.9, 1.2)))


def _source_files(rng: random.Random, person: Person, code_base: CodeBase, position: int,
                  kind: ChangeKind) -> list[ChangedFile]:
    areas = [area for area in person.areas if area != "docs"] or [code_base.layout.product_areas[0]]
    area = areas[0] if rng.random() < 0.7 else rng.choice(areas)
    count = 1 + min(14, int(rng.expovariate(0.8 if kind == "fix" else 0.45)))
    median = person.median_lines * LINES_BY_KIND[kind] / count ** 0.5
    files = []
    for file in code_base.pick(rng, area, position - 1, count):
        path = file.path_at(position - 1)
        files.append(modified(path, *_lines(rng, median)))
        tests = code_base.tests_of(area, path)
        if tests and rng.random() < person.tests_share:
            files.append(modified(tests, *_lines(rng, median * 0.8)))
    if rng.random() < (0.25 if kind == "feature" else 0.03):
        files += _docs_files(rng, person, code_base, position)[:1]
    return files + _moves(rng, code_base, area, position, median)


def _moves(rng: random.Random, code_base: CodeBase, area: str, position: int, median: float) -> list[ChangedFile]:
    """Return what this very change adds, renames or removes."""
    files = []
    if position in code_base.births:
        path = code_base.births[position].path
        files.append(ChangedFile(path, "added", _lines(rng, median * 2)[0] + 10, 0))
        tests = code_base.tests_of(area, path)
        if tests and rng.random() < 0.8:
            files.append(ChangedFile(tests, "added", _lines(rng, median * 2)[0] + 8, 0))
    if position in code_base.renames:
        added, deleted = _lines(rng, 3)
        files.append(ChangedFile(code_base.renames[position].later_path, "renamed", added, deleted))
    if position in code_base.removals:
        files.append(ChangedFile(code_base.removals[position].path, "removed", 0, 20 + _lines(rng, 40)[0]))
    return files


def _sweeping(rng: random.Random, code_base: CodeBase, position: int) -> list[ChangedFile]:
    files = []
    for area in code_base.layout.product_areas:
        for file in code_base.pick(rng, area, position - 1, rng.randint(20, 60)):
            files.append(modified(file.path_at(position - 1), rng.randint(1, 4), rng.randint(1, 4)))
    return files


def _refactored_files(rng: random.Random, person: Person, code_base: CodeBase, position: int) -> list[ChangedFile]:
    if rng.random() < SWEEPING_SHARE:
        return _sweeping(rng, code_base, position)
    return _source_files(rng, person, code_base, position, "refactoring")


def _docs_files(rng: random.Random, person: Person, code_base: CodeBase, position: int) -> list[ChangedFile]:
    if rng.random() < 0.25:
        return [modified("README.md", *_lines(rng, 2))]
    count = 1 + int(rng.expovariate(1.4))
    return [
        modified(file.path_at(position - 1), *_lines(rng, max(2.0, person.median_lines / 3)))
        for file in code_base.pick(rng, "docs", position - 1, count)
    ]


def _tests_files(rng: random.Random, person: Person, code_base: CodeBase, position: int) -> list[ChangedFile]:
    area = person.areas[0]
    files = []
    for file in code_base.pick(rng, area, position - 1, 1 + int(rng.expovariate(1.0))):
        path = file.path_at(position - 1)
        files.append(modified(code_base.tests_of(area, path) or path, *_lines(rng, person.median_lines)))
    return files


def _build_files(rng: random.Random, person: Person, code_base: CodeBase, position: int) -> list[ChangedFile]:
    names = rng.sample(code_base.layout.build_files, k=1 + (rng.random() < 0.3))
    files = [modified(name, *_lines(rng, 5)) for name in names]
    if rng.random() < 0.2:
        files += [modified(file.path_at(position - 1), *_lines(rng, 5))
                  for file in code_base.pick(rng, "build", position - 1, 1)]
    return files


FILES_BY_KIND: dict[str, Callable[[random.Random, Person, CodeBase, int], list[ChangedFile]]] = {
    "feature": lambda rng, person, base, position: _source_files(rng, person, base, position, "feature"),
    "fix": lambda rng, person, base, position: _source_files(rng, person, base, position, "fix"),
    "docs": _docs_files, "tests": _tests_files, "refactoring": _refactored_files, "build": _build_files,
}


def _dependency_bump(rng: random.Random, code_base: CodeBase) -> Change:
    manifest, lock = rng.choice(code_base.layout.dependencies)
    library, minor = rng.choice(words.LIBRARIES), rng.randint(0, 40)
    old, new = f"1.{minor}.{rng.randint(0, 9)}", f"1.{minor + 1}.0"
    n_lock = rng.randint(2, 14)
    return Change(
        f"Bump {library} from {old} to {new}", f"Bumps {library} from {old} to {new}.\r\n\r\n"
        "You can trigger a rebase by commenting on this pull request.",
        f"seedbump/{library}-{new}", (modified(manifest, 1, 1), modified(lock, n_lock, n_lock - rng.randint(0, 2))),
    )


def _regenerated(rng: random.Random, code_base: CodeBase, position: int) -> Change:
    files = [modified(file.path, rng.randint(2, 30), rng.randint(2, 30))
             for file in code_base.pick(rng, "generated", position - 1, rng.choice((12, 25, 40, 60, 110)))]
    title = f"Regenerate from schema {position % 97}"
    return Change(title, "Made by the weekly run.", f"codegen/{position}", tuple(files))


def _release(code_base: CodeBase, position: int) -> Change:
    version = f"{position // 400}.{position // 30 % 14}.0"
    files = [modified(name, 24 if name.startswith("CHANGE") else 1, 1) for name in code_base.layout.release_files]
    return Change(f"Release {version}", None, f"release-{version}", tuple(files))


def _title(rng: random.Random, kind: ChangeKind, person: Person) -> str:
    a, b = rng.sample(words.THINGS, k=2)
    title = rng.choice(TITLES[kind]).format(a=a, b=b)
    if person.has_emoji:
        return f"{rng.choice(words.EMOJI)} {title}"
    is_conventional = person.is_member and len(person.login) % 2 == 0
    return f"{PREFIXES[kind]}: {title[0].lower()}{title[1:]}" if is_conventional else title


def _body(rng: random.Random, person: Person, position: int) -> str | None:
    if rng.random() < person.empty_body_share:
        return None
    a, b = rng.sample(words.THINGS, k=2)
    chosen = rng.sample(words.SENTENCES, k=rng.randint(1, 4))
    body = "\r\n".join(sentence.format(a=a, b=b, n=rng.randint(1, position + 1)) for sentence in chosen)
    return body + words.CHECKLIST if rng.random() < 0.3 else body


def _branch(rng: random.Random, kind: ChangeKind, person: Person, position: int) -> str:
    if person.branch_style == "patch":
        return f"patch-{rng.randint(1, 4)}"
    topic = "-".join(rng.sample(words.THINGS, k=2))
    if person.branch_style == "login":
        return f"{person.login}/{topic}"
    return rng.choice((f"{PREFIXES[kind]}/{topic}", topic, f"issue-{rng.randint(1, position + 1)}"))


def _unique(files: list[ChangedFile]) -> tuple[ChangedFile, ...]:
    return tuple({file.path: file for file in files}.values())
