"""Hold a program on a leash: when its holder goes, so do the program and all it started.

Run as a file, `python -I -S leash.py PROGRAM ARGUMENT...`, with a pipe as standard input whose other end
only the holder has. The program runs until it ends by itself or the pipe closes, which happens by itself
when the holder is killed. Then whatever it left running is killed: a JVM, Spark's workers, gunicorn's.
SIGINT and SIGTERM are passed on. Only the standard library, and little of it: this starts before every stage.
"""

import ctypes
import os
import select
import signal
import sys
from types import FrameType

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h
CANNOT_START = 127  # what a shell reports for a program that is not there
HOLDER, WAKE_UP_BYTES = 0, 512


def main(argv: list[str]) -> int:
    """Run `argv`; return its exit code, or 128 plus the signal that killed it."""
    _set_process_option(PR_SET_CHILD_SUBREAPER, 1)
    wake_up, woken = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC) if hasattr(os, "pipe2") else os.pipe()
    os.set_blocking(woken, False)
    leash = os.getpid()
    child = os.fork()
    if child == 0:
        _become(argv, leash)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    _pass_on_signals(child)
    status = _wait_for_end(child, wake_up)
    _kill_everything(child)
    return status


def _become(argv: list[str], leash: int) -> None:
    """Turn the forked process into the program, in a group of its own."""
    try:
        os.setpgid(0, 0)
        _set_process_option(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != leash:
            os._exit(CANNOT_START)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), HOLDER)
        os.execvp(argv[0], argv)
    except OSError as error:
        os.write(2, f"{argv[0]}: {error.strerror}\n".encode())
    finally:
        os._exit(CANNOT_START)


def _pass_on_signals(child: int) -> None:
    def pass_on(number: int, frame: FrameType | None) -> None:
        try:
            os.kill(child, number)
        except ProcessLookupError:
            pass

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, pass_on)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)


def _wait_for_end(child: int, wake_up: int) -> int:
    """Wait until the child ended or the holder let go; orphans of the child are reaped on the way."""
    while True:
        ended, status = _reap()
        while ended:
            if ended == child:
                return os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)
            ended, status = _reap()
        readable, _, _ = select.select([HOLDER, wake_up], [], [], 1.0)
        if wake_up in readable:
            os.read(wake_up, WAKE_UP_BYTES)
        if HOLDER in readable and not os.read(HOLDER, WAKE_UP_BYTES):
            return 128 + signal.SIGKILL


def _reap() -> tuple[int, int]:
    try:
        return os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return 0, 0


def _kill_everything(child: int) -> None:
    """Kill the child's group, then every descendant there still is, wherever it moved to."""
    _kill(-child)
    while remaining := _descendants(os.getpid()):
        for process in remaining:
            _kill(process)
        while _reap()[0]:
            pass
        select.select([], [], [], 0.005)


def _kill(process: int) -> None:
    try:
        os.kill(process, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def _descendants(ancestor: int) -> set[int]:
    """List the processes below `ancestor`, from Linux' /proc; elsewhere none."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc") if os.path.isdir("/proc/self") else ():
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    parent = int(file.read().rpartition(b")")[2].split()[1])
            except (OSError, IndexError, ValueError):
                continue
            children.setdefault(parent, []).append(int(name))
    found: set[int] = set()
    waiting = [ancestor]
    while waiting:
        below = children.get(waiting.pop(), [])
        found.update(below)
        waiting.extend(below)
    return found


def _set_process_option(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
