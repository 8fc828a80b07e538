"""Nothing that the delivery asks of git lasts for ever: servers that say nothing, locks that are held, budgets."""

import fcntl
import os
import re
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from delivery import staging
from delivery.image_tree import find_image_tree, git
from delivery.publish_digest import publish_release
from delivery.staging import change_staging
from delivery.write_digest import Release
from sentinel.errors import FixNeededError, NotFoundError, PermissionDeniedError, UnavailableError
from tests.delivery.hosted import Trial
from tests.patience import PATIENCE_SECONDS

WAIT_SECONDS = 2.0


@pytest.fixture
def silent_server() -> Iterator[str]:
    """Listen and never answer; give the address of a repository there."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/{time.monotonic_ns()}.git"


def lives(words: str) -> bool:
    """Tell whether a process of this machine has these words in its command."""
    return any(words in path.read_bytes().decode(errors="replace") for path in commands())


def commands() -> Iterator[Path]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            path.read_bytes()
        except OSError:  # it ended meanwhile
            continue
        yield path


def test_server_that_says_nothing_is_left_with_all_that_asked_it(made, silent_server):
    with pytest.raises(UnavailableError, match="git fetch in .* was not done after 2 s and was ended") as caught:
        git(made.laptop, "fetch", silent_server, seconds=WAIT_SECONDS)

    assert "run the same again" in str(caught.value)
    assert not lives(silent_server)


def test_program_that_git_started_ends_with_it(made, tmp_path):
    """As ssh does, which hangs and has not read that git is gone."""
    canary = f"{tmp_path}/ssh-that-hangs"

    with pytest.raises(UnavailableError):
        git(made.laptop, "fetch", "ssh://h/r", seconds=WAIT_SECONDS,
            variables={"GIT_SSH_COMMAND": f"sh -c 'sleep 1000; true' {canary}", "GIT_SSH_VARIANT": "simple"})
    assert not lives(canary)


def test_missing_git_is_named(made, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")

    with pytest.raises(FixNeededError, match="git is not installed"):
        git(made.laptop, "status")


@pytest.mark.parametrize("what", ["fetch", "push"])
def test_release_ends_when_the_server_says_nothing(made, silent_server, monkeypatch, what):
    monkeypatch.setattr(staging, "TRANSFER_SECONDS", WAIT_SECONDS)
    made.git("remote", "set-url", *(["--push"] if what == "push" else []), "origin", silent_server)

    with pytest.raises(UnavailableError, match=f"git {what} .* was not done after 2 s"):
        change_staging(made.laptop, write_something)
    assert [str(made.laptop)] == re.findall(r"^worktree (.*)", made.git("worktree", "list", "--porcelain"), re.M)
    assert "refs/sentinel" not in made.git("for-each-ref")


def test_push_that_arrived_after_all_is_not_written_twice(made, monkeypatch):
    """The server writes, and its answer comes too late."""
    hook = made.hosted.server / "hooks/post-receive"
    hook.write_text("#!/bin/sh\nexec sleep 1000\n")
    hook.chmod(0o755)
    monkeypatch.setattr(staging, "TRANSFER_SECONDS", 10.0)
    given = Release("data-fetch", find_image_tree("data-fetch", made.laptop).tree, "sha256:" + "a" * 64)

    with pytest.raises(UnavailableError, match="cannot say whether the push to staging arrived"):
        publish_release(made.laptop, given)
    hook.unlink()

    assert given == made.releases()["data-fetch"]
    assert "already there" == publish_release(made.laptop, given)


def test_lock_that_another_process_holds_is_waited_for_to_the_end_of_the_budget(made, monkeypatch):
    monkeypatch.setattr(staging, "BUDGET_SECONDS", WAIT_SECONDS)
    with (made.laptop / ".git/sentinel.lock").open("w") as lock:
        lock.write("4711\n")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)

        with pytest.raises(UnavailableError, match="process 4711 held .*sentinel.lock for the 2 s"):
            change_staging(made.laptop, write_something)


def test_lock_that_is_given_back_lets_the_next_one_write(made):
    with (made.laptop / ".git/sentinel.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        waiting = threading.Thread(target=change_staging, args=(made.laptop, write_something))
        waiting.start()
        time.sleep(0.5)
        assert "Mine" not in made.git("log", "--format=%s", "staging", at=made.hosted.server)
    waiting.join(PATIENCE_SECONDS)

    assert "Mine" in made.git("log", "--format=%s", "staging", at=made.hosted.server)
    assert f"{os.getpid()}\n" == (made.laptop / ".git/sentinel.lock").read_text()


def test_budget_that_is_spent_ends_the_tries(made, monkeypatch):
    monkeypatch.setattr(staging, "BUDGET_SECONDS", 0.0)

    with pytest.raises(UnavailableError, match="cannot write staging within the 0 s"):
        change_staging(made.laptop, write_something)


@pytest.mark.parametrize("address, kind, said", [
    ("{folder}/nothing-there", UnavailableError, "cannot fetch staging from origin.*does not appear to be a git"),
    ("{folder}/empty.git", NotFoundError, "has no branch staging.*make it from main"),
    ("{folder}/denied", PermissionDeniedError, "does not let us read staging.*STAGING_DEPLOY_KEY"),
])
def test_server_that_cannot_be_read_is_told_by_what_it_lacks(made, monkeypatch, address, kind, said):
    made.git("init", "--quiet", "--bare", f"{made.folder}/empty.git")
    made.git("remote", "set-url", "origin", address.format(folder=made.folder))
    if "denied" in address:
        monkeypatch.setenv("GIT_SSH_COMMAND", "echo 'Permission denied (publickey).' >&2; exit 255 ;")
        made.git("remote", "set-url", "origin", "ssh://h/r")

    with pytest.raises(kind, match=f"(?s){said}"):
        change_staging(made.laptop, write_something)


def test_credential_that_is_missing_is_told_and_not_asked_for(made):
    """A prompt would wait for a person, whom a workflow does not have."""
    def server() -> None:
        connection, _ = listening.accept()
        with connection:
            connection.recv(65_536)
            connection.sendall(b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=x\r\n"
                               b"Content-Length: 0\r\nConnection: close\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=server, daemon=True).start()
        made.git("remote", "set-url", "origin", f"http://127.0.0.1:{listening.getsockname()[1]}/r.git")

        with pytest.raises(PermissionDeniedError, match="could not read Username"):
            change_staging(made.laptop, write_something)


def write_something(checkout: Path) -> str:
    (checkout / "Makefile").write_text("mine\n")
    return "Mine"


def test_stand_ins_above_would_hang_without_a_time_out(made: Trial, silent_server):
    """Else the tests above would see an end that comes by itself."""
    with pytest.raises(subprocess.TimeoutExpired):
        subprocess.run(["git", "-C", str(made.laptop), "ls-remote", silent_server], timeout=WAIT_SECONDS,
                       capture_output=True, stdin=subprocess.DEVNULL)
