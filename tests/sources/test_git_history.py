"""Pull requests derived from histories that git itself wrote."""

import os
import stat
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from sentinel.errors import CorruptFileError, NotFoundError, PermissionDeniedError
from sentinel.pull_request import ChangedFile
from sentinel.sources.git_log import parse_commit, split_stream
from sentinel.sources.kinds import open_source
from tests.sources.git_builder import DAY, START, History, git

CHILDREN = Path(f"/proc/self/task/{os.getpid()}/children")


def read(path: Path, cursor: dict | None = None, patches: bool = True) -> list:
    with open_source(f"git:{path}", SimpleNamespace(git_patches=patches)) as source:
        return list(source.pages(lambda repository: cursor))


def records(path: Path, **options) -> dict[int, object]:
    return {one.pull_request.number: one for page in read(path, **options) for one in page.records}


def only(path: Path):
    found = records(path)
    assert 1 == len(found)
    return next(iter(found.values())).pull_request


@pytest.fixture
def history(tmp_path):
    made = History(tmp_path / "harbour")
    made.commit("Begin", {"README": b"one\ntwo\n"})
    return made


def day(number: int) -> datetime:
    return datetime.fromtimestamp(START + number * DAY, UTC)


def test_squash_commit_is_a_pull_request(history):
    history.commit("Mend the crane (#7)\n\nIt was bent.\n", {"crane.py": b"a\nb\n", "README": b"one\n2\n"},
                   authored=START)
    landed = records(history.write())[7]

    opened = landed.pull_request
    assert ("local/harbour", "Mend the crane", "It was bent.", "Ada", "main") == (
        opened.repository, opened.title, opened.body, opened.author, opened.base_ref)
    assert (day(0), day(2), day(2)) == (opened.opened_at, landed.outcome.merged_at, landed.outcome.updated_at)
    assert (3, 1, 2) == (opened.additions, opened.deletions, opened.changed_files)
    assert git(history.path, "rev-parse", "main") == landed.outcome.merge_commit_sha


def test_merge_commit_is_a_pull_request_of_its_branch(history):
    history.commit("First part", {"a": b"1\n"}, branch="crane", start="main", author="Bo <bo@example.org>")
    history.commit("Second part", {"a": b"1\n2\n"}, branch="crane", author="Bo <bo@example.org>")
    history.commit("Review", {"b": b"1\n"}, branch="crane", author="Cy <cy@example.org>")
    history.commit("Pushed meanwhile", {"c": b"1\n"})
    history.commit("Merge pull request #8 from bo/crane\n\nMend the crane\n\nBoth parts.", merge="crane",
                   files={"a": b"1\n2\n", "b": b"1\n"})
    opened = only(history.write())

    assert (8, "Mend the crane", "Both parts.", "Bo", 3) == (
        opened.number, opened.title, opened.body, opened.author, opened.commits)
    assert (day(2), "crane", 3) == (opened.opened_at, opened.head_ref, opened.additions)
    assert ["a", "b"] == [file.path for file in opened.files]
    assert git(history.path, "rev-parse", "crane") == opened.head_sha


def test_branches_that_run_side_by_side_are_told_apart(history):
    for name in ("one", "two"):
        history.commit(f"Begin {name}", {name: b"1\n"}, branch=name, start="main", author=f"{name} <x@example.org>")
    history.commit("More of one", {"one": b"1\n2\n"}, branch="one", author="one <x@example.org>")
    history.commit("Take main along", branch="two", merge="main", author="two <x@example.org>")
    history.commit("Merge pull request #1 from x/one\n\nOne", {"one": b"1\n2\n"}, merge="one")
    history.commit("Merge pull request #2 from x/two\n\nTwo", {"two": b"1\n"}, merge="two")
    found = records(history.write())

    assert {1: ("one", 2), 2: ("two", 2)} == {
        number: (one.pull_request.author, one.pull_request.commits) for number, one in found.items()}


@pytest.mark.parametrize("message, number, title, branch", [
    ("Merge branch 'crane' into 'main'\n\nMend the crane\n\nSee merge request octo/harbour!12", 12, "Mend the crane",
     "crane"),
    ("Merged in crane (pull request #13)\n\nMend the crane", 13, "Mend the crane", "crane"),
    ("Merge pull request #14 in OCTO/harbour from crane to main", 14,
     "Merge pull request #14 in OCTO/harbour from crane to main", "crane"),
    ("Mend (#3) the crane (#15)", 15, "Mend (#3) the crane", None),
])
def test_forms_of_hosting_sites_are_known(history, message, number, title, branch):
    history.commit(message, {"a": b"1\n"})
    opened = only(history.write())

    assert (number, title, branch) == (opened.number, opened.title, opened.head_ref)


@pytest.mark.parametrize("message", [
    "Mend the crane", "See #7", "Mend (#7) the crane", "Mend (#x)", "Revert \"Mend (#7)\"", "(#7)", "Mend (#0)x",
    "Merge branch 'main'", "", "Mend\n\nThat was\nthe fault (#7)",
])
def test_other_commits_are_no_pull_requests(history, message):
    history.commit(message, {"a": b"1\n"})

    assert {} == records(history.write())


def test_number_that_is_named_again_keeps_its_first_commit(history):
    history.commit("Mend the crane (#7)", {"a": b"1\n"})
    cursor = read(history.write())[-1].cursor
    history.commit("Mend the crane again (#7)", {"b": b"1\n"})
    history.commit("Paint it (#8)", {"c": b"1\n"})
    history.write()

    assert "Mend the crane" == records(history.path)[7].pull_request.title
    assert [8] == list(records(history.path, cursor=cursor))


@pytest.mark.parametrize("url, name", [
    ("https://github.com/octo/harbour.git", "octo/harbour"), ("git@github.com:octo/harbour", "octo/harbour"),
    ("https://ada:secret@git.example.org/team/octo/harbour/", "octo/harbour"),
    ("../elsewhere/octo/harbour", "local/harbour"),
])
def test_repository_is_named_after_its_remote(history, url, name):
    history.commit("Merge pull request #8 from bo/crane\n\nMend", {"a": b"1\n"})
    git(history.write(), "remote", "add", "origin", url)
    opened = only(history.path)

    assert name == opened.repository
    assert (True, "bo/harbour") == (opened.is_from_fork, opened.head_repository) or name.startswith("local/")


@pytest.mark.parametrize("author, login, kind", [
    ("Ada L <123+ada-l@users.noreply.github.com>", "ada-l", "User"),
    ("Ada L <ada-l@users.noreply.github.com>", "ada-l", "User"),
    ("dependabot[bot] <49+dependabot[bot]@users.noreply.github.com>", "dependabot[bot]", "Bot"),
    ("Ada L <ada@example.org>", "Ada L", "User"),
    (" <ada@example.org>", "ada", "User"),
])
def test_author_is_the_login_where_the_address_holds_it(history, author, login, kind):
    history.commit("Mend (#7)", {"a": b"1\n"}, author=author)
    opened = only(history.write())

    assert (login, kind) == (opened.author, opened.author_kind)


def test_mailmap_joins_the_names_of_one_author(history):
    history.commit("Add a mailmap", {".mailmap": b"Ada Lovelace <ada@example.org>\n"})
    history.commit("Mend (#7)", {"a": b"1\n"})
    history.write()
    git(history.path, "reset", "--hard", "--quiet")

    assert "Ada Lovelace" == only(history.path).author


def test_kinds_of_changes_are_kept(history):
    history.commit("Before", {"old": b"1\n2\n3\n4\n", "gone": b"1\n", "mode": b"x\n", "kind": b"1\n"})
    history.commit("Change all (#7)", {"gone": None, "picture": b"\0\1", "empty": b"", "kind": None})
    for command in (b"R old new", b"M 100755 inline mode\ndata 2\nx\n", b"M 120000 inline kind\ndata 3\nold",
                    b"M 160000 " + b"1" * 40 + b" vendor"):
        history.raw(command)
    files = {file.path: file for file in only(history.write()).files}

    assert ChangedFile("new", "renamed", 0, 0, "old", mode="100644", previous_mode="100644") == files["new"]
    assert ("removed", None, "100644") == (files["gone"].status, files["gone"].mode, files["gone"].previous_mode)
    assert (True, None) == (files["picture"].is_binary, files["picture"].patch)
    assert ("100755", "100644") == (files["mode"].mode, files["mode"].previous_mode)
    assert ("160000", "added") == (files["vendor"].mode, files["vendor"].status)
    assert "@@ -0,0 +1 @@\n+Subproject commit " + "1" * 40 == files["vendor"].patch
    assert ("changed", "120000") == (files["kind"].status, files["kind"].mode)
    assert "-1" in files["kind"].patch and "+old" in files["kind"].patch
    assert ("added", None) == (files["empty"].status, files["empty"].patch)


def test_patch_is_what_github_would_show(history):
    history.commit("Mend (#7)", {"README": b"one\n2\n"})

    assert "@@ -1,2 +1,2 @@\n one\n-two\n+2" == only(history.write()).files[0].patch


def test_counts_are_equal_with_and_without_patches(history):
    lines = [b"%d\n" % (number % 7) for number in range(400)]
    history.commit("Before", {"a": b"".join(lines)})
    history.commit("Mend (#7)", {"a": b"".join(lines[::3] + lines[5::2])})
    with_patches, without = (records(history.write(), patches=patches)[7].pull_request for patches in (True, False))

    assert (with_patches.additions, with_patches.deletions) == (without.additions, without.deletions)
    assert without.files[0].patch is None


def test_hostile_names_and_contents_come_through(history):
    hostile = {
        b"a\nb\tc": b"1\n", b'"quoted"': b"2\n", b"\xff\xfe": b"3\n", b"-rf": b"4\n",
        b"diff --git a": b"diff --git a/x b/x\n@@ -1 +1 @@\n", b"z": b"t" * 9_000 + b"\0\0:100644 100644\n",
        b"zz": b"5\n",
    }
    history.commit(b"Mend \x1b[31m\xff (#7)\n\n\x00TOKEN", hostile)
    opened = only(history.write())

    patches = {file.path: file.patch for file in opened.files}
    assert {"a\nb\tc", '"quoted"', "\\xff\\xfe", "-rf", "diff --git a", "z", "zz"} == set(patches)
    assert "@@ -0,0 +1,2 @@\n+diff --git a/x b/x\n+@@ -1 +1 @@" == patches["diff --git a"]
    assert "@@ -0,0 +1 @@\n+5" == patches["zz"]
    assert 8 == opened.additions


def test_commit_without_changes_has_no_files(history):
    history.commit("Nothing (#7)")

    assert ((), 0, 0) == (only(history.write()).files, only(history.path).additions, only(history.path).changed_files)


def test_wrong_clocks_do_not_open_after_landing(history):
    history.commit("Mend (#7)", {"a": b"1\n"}, authored=START + 900 * DAY)
    history.commit("Mend (#8)", {"b": b"1\n"}, authored=0)

    assert {7: day(2), 8: day(3)} == {
        number: one.pull_request.opened_at for number, one in records(history.write()).items()}


def test_landing_in_an_absurd_year_is_rejected_with_its_reason(history):
    history.commit("Mend (#7)", {"a": b"1\n"}, committed=9_000_000_000)
    page, = read(history.write())

    assert ["local/harbour#7"] == [reject.place for reject in page.rejected]
    assert "2100" in page.rejected[0].reason


def test_large_commit_keeps_3000_files_and_counts_all(history):
    history.commit("Vendor (#7)", {f"vendor/{number:05}": b"1\n2\n" for number in range(3_200)})
    opened = only(history.write())

    assert (3_000, 3_200, 6_400) == (len(opened.files), opened.changed_files, opened.additions)
    assert {2} == {file.additions for file in opened.files}


def test_large_patch_is_cut_and_says_so(history):
    history.commit("Vendor (#7)", {"big": b"0123456789\n" * 20_000, "small": b"1\n"})
    big, small = only(history.write()).files

    assert (65_536, True, 20_000) == (len(big.patch), big.is_patch_cut, big.additions)
    assert ("@@ -0,0 +1 @@\n+1", False) == (small.patch, small.is_patch_cut)


def test_second_run_over_the_same_head_reads_nothing(history):
    history.commit("Mend (#7)", {"a": b"1\n"})
    cursor = read(history.write())[-1].cursor

    assert [] == read(history.path, cursor)


def test_later_run_reads_only_what_landed_since(history):
    history.commit("Mend (#7)", {"a": b"1\n"})
    cursor = read(history.write())[-1].cursor
    history.commit("Part", {"b": b"1\n"}, branch="crane", start="main")
    history.commit("Merge pull request #8 from bo/crane\n\nPaint", {"b": b"1\n"}, merge="crane")

    assert [8] == list(records(history.write(), cursor=cursor))
    assert 1 == records(history.path, cursor=cursor)[8].pull_request.commits


@pytest.mark.parametrize("cursor", [
    {"commit": "1" * 40, "patches": True}, {"commit": "--output=x", "patches": True}, {"patches": True},
    {"commit": "HEAD", "patches": True},
])
def test_unknown_cursor_reads_everything_again(history, cursor):
    history.commit("Mend (#7)", {"a": b"1\n"})

    assert [7] == list(records(history.write(), cursor=cursor))


def test_rewritten_history_is_read_again(history):
    history.commit("Mend (#7)", {"a": b"1\n"})
    cursor = read(history.write())[-1].cursor
    git(history.path, "branch", "--move", "main", "old")
    git(history.path, "symbolic-ref", "HEAD", "refs/heads/main")
    history.commit("Mend it otherwise (#9)", {"a": b"2\n"}, start="old~1")

    assert [9] == list(records(history.write(), cursor=cursor))


def test_turning_patches_on_reads_everything_again(history):
    history.commit("Mend (#7)", {"a": b"1\n"})
    cursor = read(history.write(), patches=False)[-1].cursor

    assert [7] == list(records(history.path, cursor=cursor))


def test_default_branch_of_the_remote_counts_not_what_is_checked_out(history, tmp_path):
    history.commit("Mend (#7)", {"a": b"1\n"})
    history.commit("Try (#8)", {"b": b"1\n"}, branch="attempt", start="main")
    git(tmp_path, "clone", "--quiet", str(history.write()), "clone")
    git(tmp_path / "clone", "checkout", "--quiet", "attempt")

    assert ("main", 7) == (only(tmp_path / "clone").base_ref, only(tmp_path / "clone").number)


def test_bare_clone_reads_the_same(history, tmp_path):
    history.commit("Mend (#7)", {"a": b"1\n"})
    git(tmp_path, "clone", "--quiet", "--bare", str(history.write()), "copy/harbour.git")

    assert records(history.path) == records(tmp_path / "copy" / "harbour.git") == records(history.path / ".git")


def test_empty_repository_holds_no_page(tmp_path):
    assert [] == read(History(tmp_path / "new").path)


def test_history_without_pull_requests_is_one_page_with_a_cursor(history):
    page, = read(history.write())

    assert ((), (), 0) == (page.records, page.rejected, page.total)
    assert git(history.path, "rev-parse", "HEAD") == page.cursor["commit"]


@pytest.mark.parametrize("make, said", [
    (lambda path: None, "no such folder"), (Path.touch, "no such folder"), (Path.mkdir, "no git repository there"),
])
def test_what_is_no_repository_is_named(tmp_path, make, said):
    make(tmp_path / "harbour")

    with pytest.raises(NotFoundError, match=said):
        read(tmp_path / "harbour")


def test_folder_inside_a_repository_is_not_taken_for_it(history):
    (history.write() / "inner").mkdir()

    with pytest.raises(NotFoundError, match="name the top folder"):
        read(history.path / "inner")


def test_missing_git_is_named(history, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")

    with pytest.raises(NotFoundError, match="the program git is not installed"):
        read(history.path)


def test_shallow_clone_is_refused_with_the_cure(history, tmp_path):
    history.commit("Mend (#7)", {"a": b"1\n"})
    git(tmp_path, "clone", "--quiet", "--depth=1", history.write().as_uri(), "shallow")

    with pytest.raises(NotFoundError, match="fetch --unshallow"):
        read(tmp_path / "shallow")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_repository_of_another_user_is_refused_with_the_cure(history):
    os.chown(history.write(), 12345, 12345)
    os.chown(history.path / ".git", 12345, 12345)

    with pytest.raises(PermissionDeniedError, match="safe.directory"):
        read(history.path)


def test_missing_file_content_costs_one_pull_request(history):
    for number in (7, 8, 9):
        history.commit(f"Mend (#{number})", {"a": b"%d\n" % number, f"b{number}": b"x\n" * number})
    lost = git(history.write(), "rev-parse", "main~1:b8")
    _unpack(history.path)
    (history.path / ".git/objects" / lost[:2] / lost[2:]).unlink()
    page, = read(history.path)

    assert [7, 9] == [one.pull_request.number for one in page.records]
    assert ["local/harbour#8"] == [reject.place for reject in page.rejected]
    assert lost in page.rejected[0].reason


def test_missing_commit_makes_the_clone_unusable(history):
    history.commit("Mend (#7)", {"a": b"1\n"})
    lost = git(history.write(), "rev-parse", "main~1")
    _unpack(history.path)
    (history.path / ".git/objects" / lost[:2] / lost[2:]).unlink()

    with pytest.raises(CorruptFileError, match="fsck"):
        read(history.path)


def test_nothing_that_the_repository_configures_is_run(history, tmp_path):
    history.commit("Mend (#7)", {".gitattributes": b"* diff=evil\n", "a.txt": b"1\n"})
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n")
    trap.chmod(trap.stat().st_mode | stat.S_IXUSR)
    for name in ("diff.external", "diff.evil.command", "diff.evil.textconv", "core.fsmonitor", "core.pager",
                 "gpg.program", "core.sshCommand", "filter.evil.smudge"):
        git(history.write(), "config", name, str(trap))
    git(history.path, "config", "log.showSignature", "true")
    git(history.path, "read-tree", "HEAD")

    assert [7] == list(records(history.path))
    assert not (tmp_path / "sprung").exists()


def test_thousands_of_commits_are_read_in_bounded_memory(tmp_path):
    history = History(tmp_path / "harbour")
    for number in range(1, 4_001):
        history.commit(f"Change {number} (#{number})", {f"src/{number % 50}": b"%d\n" % number * 20})
    history.write()
    seen = 0

    tracemalloc.start()
    with open_source(f"git:{history.path}", SimpleNamespace(git_patches=True)) as source:
        for page in source.pages(lambda repository: None):
            seen += len(page.records)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert 4_000 == seen
    assert peak < 12_000_000


class Drops:
    """A stream that gives three bytes at a time."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def read(self, size: int) -> bytes:
        drop, self.content = self.content[:3], self.content[3:]
        return drop


@pytest.mark.skipif(not CHILDREN.exists(), reason="only Linux lists the children of a process")
def test_no_git_is_left_behind_by_a_reader_that_stops_early(tmp_path):
    history = History(tmp_path / "harbour")
    for number in range(1, 500):
        history.commit(f"Change {number} (#{number})", {f"{number}": b"%d\n" % number * 2_000})
    before = CHILDREN.read_text()

    with open_source(f"git:{history.write()}", SimpleNamespace(git_patches=True)) as source:
        pages = source.pages(lambda repository: None)
        next(pages)
        during = CHILDREN.read_text()
        pages.close()

    assert before == CHILDREN.read_text() != during


def test_stream_is_split_at_the_mark_wherever_reads_end():
    content = Drops(b"noise<mark>one<mark><mark>four four four<mark>end")

    assert [(b"one", False), (b"", False), (b"fou", True), (b"end", False)] == list(split_stream(content, b"<mark>", 3))


def test_list_of_files_that_was_cut_is_a_problem_not_a_guess():
    commit = parse_commit(b"sha\0\0" b"1\0" b"1\0Ada\0ada@example.org\0Mend (#7)\0\0\n:000000 100644 0 1 A\0path", True)

    assert "longer than" in commit.problem


def _unpack(path: Path) -> None:
    """Turn packs into one file per object."""
    for pack in (path / ".git/objects/pack").glob("*.pack"):
        content = pack.read_bytes()
        pack.unlink()
        pack.with_suffix(".idx").unlink()
        git(path, "unpack-objects", "-q", content=content)
