"""Make git repositories from a few lines, by `git fast-import`."""

import subprocess
from pathlib import Path

DAY = 86_400
START = 1_767_225_600  # 2026-01-01T00:00:00Z


def git(path: Path, *arguments: str, content: bytes = b"") -> str:
    """Run git there and return what it says."""
    command = ["git", "-C", str(path), "-c", "user.name=Ada", "-c", "user.email=ada@example.org", *arguments]
    return subprocess.run(command, input=content, capture_output=True, check=True).stdout.decode().strip()


class History:
    """A repository that is being written; commits are a day apart."""

    def __init__(self, path: Path, *options: str) -> None:
        """Make an empty repository whose default branch is main."""
        path.mkdir(parents=True, exist_ok=True)
        git(path, "init", "--quiet", "--initial-branch=main", *options)
        self.path = path
        self._stream: list[bytes] = []
        self._stored_branches: set[str] = set()
        self._n_commits = 0

    def commit(self, message: str | bytes, files: dict[str | bytes, bytes | None] | None = None, *,
               branch: str = "main", start: str | None = None, merge: str | None = None,
               author: str = "Ada <ada@example.org>", authored: int | None = None,
               committed: int | None = None) -> None:
        """Add a commit; None as content removes the file, `start` and `merge` name branches."""
        self._n_commits += 1
        committed = START + self._n_commits * DAY if committed is None else committed
        message = message.encode() if isinstance(message, str) else message
        head = [
            f"commit refs/heads/{branch}",
            f"author {author} {committed if authored is None else authored} +0100",
            f"committer Grace <grace@example.org> {committed} -0500",
        ]
        self._stream += ["\n".join(head).encode(), b"\ndata %d\n%s\n" % (len(message), message)]
        if start or branch in self._stored_branches:
            self._stored_branches.discard(branch)
            self._stream.append(f"from refs/heads/{start or branch + '^0'}\n".encode())
        self._stream += [f"merge refs/heads/{merge}\n".encode()] if merge else []
        self._stream += [_change(path, content) for path, content in (files or {}).items()]
        self._stream.append(b"\n")

    def raw(self, command: bytes) -> None:
        """Add a command of fast-import to the last commit."""
        self._stream.insert(len(self._stream) - 1, command + b"\n")

    def write(self) -> Path:
        """Store what was added and return the path."""
        options = ("--quiet", "--force", "--date-format=raw-permissive")
        git(self.path, "fast-import", *options, content=b"".join(self._stream))
        self._stream = []
        branches = git(self.path, "for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads")
        self._stored_branches = set(branches.split())
        return self.path


def _change(path: str | bytes, content: bytes | None) -> bytes:
    raw = path.encode() if isinstance(path, str) else path
    quoted = b'"' + raw.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n") + b'"'
    if content is None:
        return b"D " + quoted + b"\n"
    return b"M 100644 inline " + quoted + b"\ndata %d\n%s\n" % (len(content), content)
