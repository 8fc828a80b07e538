"""Where the time and the memory of `sentinel run` go: `python benchmarks/run_stages.py SOURCE`.

SOURCE is what `sentinel run --source` takes. The run works in a folder of its own, which is removed;
a second run in the same folder shows what is left to do when nothing is new.
Memory is the proportional set size (PSS) of all processes together: shared pages count once.
"""

import argparse
import os
import re
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

SAMPLE_SECONDS = 0.2
STAGE_BEGINS, STAGE_ENDS = re.compile(r"(\w+) +starting"), re.compile(r"(\w+) +done in")
STARTING, RANKING = "start", "ranked list"
ROW = "{:<18}{:>9}{:>9}{:>15}"


@dataclass
class Phase:
    """One part of the run; times in seconds since its start."""

    name: str
    began: float
    ended: float = 0.0
    peak_bytes: int = 0


@dataclass
class Measurement:
    """All parts of one run, in order."""

    phases: list[Phase] = field(default_factory=list)
    exit_code: int = 0
    cpu_seconds: float = 0.0

    def turn_to(self, name: str, now: float) -> None:
        """End the present part and begin the next."""
        if self.phases:
            self.phases[-1].ended = now
        self.phases.append(Phase(name, now))


def main() -> int:
    """Run twice and print both tables; return the first exit code that is not 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", nargs="+", metavar="SOURCE", help="as for `sentinel run --source`")
    sources = parser.parse_args().source
    with tempfile.TemporaryDirectory(prefix="sentinel-benchmark-") as folder:
        for title in ("first run", "second run, nothing new"):
            measurement = measure(sources, Path(folder))
            if measurement.exit_code:
                return measurement.exit_code
            print_table(title, measurement)
    return 0


def measure(sources: list[str], folder: Path) -> Measurement:
    """Run the stages once, sampling the memory of the whole process tree."""
    named = [argument for source in sources for argument in ("--source", source)]
    argv = [sys.executable, "-m", "sentinel.command", "run", *named, "--data", str(folder), "--no-serve"]
    measurement, started = Measurement(), time.monotonic()
    measurement.turn_to(STARTING, 0.0)
    used_before = cpu_seconds()
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    sampler = threading.Thread(target=sample_memory, args=(process.pid, measurement, lambda: process.poll() is None))
    sampler.start()
    assert process.stdout is not None
    for line in process.stdout:
        if begins := STAGE_BEGINS.match(line):
            measurement.turn_to(begins[1], time.monotonic() - started)
        elif STAGE_ENDS.match(line):
            measurement.turn_to(RANKING, time.monotonic() - started)
    measurement.exit_code = process.wait()
    sampler.join()
    measurement.phases[-1].ended = time.monotonic() - started
    measurement.cpu_seconds = cpu_seconds() - used_before
    return measurement


def sample_memory(root: int, measurement: Measurement, is_running: Callable[[], bool]) -> None:
    """Keep the largest memory seen in each phase."""
    while is_running():
        phase = measurement.phases[-1]
        phase.peak_bytes = max(phase.peak_bytes, sum(map(memory_of, tree_of(root))))
        time.sleep(SAMPLE_SECONDS)


def tree_of(root: int) -> list[int]:
    """List a process and all below it."""
    children: dict[int, list[int]] = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            parent = int(Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(name))
    tree = [root]
    for process in tree:
        tree.extend(children.get(process, ()))
    return tree


def memory_of(process: int) -> int:
    """Return the proportional set size in bytes; 0 for a process that is gone."""
    try:
        found = re.search(r"^Pss: +(\d+) kB", Path(f"/proc/{process}/smaps_rollup").read_text(), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) * 1024 if found else 0


def cpu_seconds() -> float:
    """Return the processor time of all children that ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def print_table(title: str, measurement: Measurement) -> None:
    """Print each part's share of the time, and its peak of memory."""
    phases = [phase for phase in measurement.phases if phase.ended - phase.began > 0.05]
    total = phases[-1].ended
    print(f"{title}: {total:.1f} s, peak {max(phase.peak_bytes for phase in phases) / 1e9:.2f} GB, "
          f"{measurement.cpu_seconds:.1f} s of processor time")
    print(ROW.format("part", "seconds", "share", "peak memory"))
    for phase in phases:
        seconds = phase.ended - phase.began
        print(ROW.format(phase.name, f"{seconds:.1f}", f"{seconds / total:.0%}", f"{phase.peak_bytes / 1e9:.2f} GB"))
    print(flush=True)


if __name__ == "__main__":
    sys.exit(main())
