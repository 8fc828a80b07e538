"""Compare the Spark stage with the common way, and with itself on more pull requests.

    python benchmarks/spark_scale.py 10000 100000 --common-way 100000

The common way lets Spark read the same events, collects them to the driver, and loops over them there: same reading,
same features, same parquet. Times are those of whole processes on an embedded MongoDB server, which is filled first
and whose own time is not in the CPU's. Memory is the most that was resident. Below a run of the stage stands where
its time went; what tasks took side by side is added up, so that the shares are of work, not of the clock.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from pathlib import Path

from believable import filled_mongo
from sentinel.settings import MongoSettings

COMMON_WAY = Path(__file__).with_name("spark_common_way.py")
STAGE = ("-m", "spark_preprocess")


@dataclass(frozen=True)
class Process:
    """One process as it was seen last."""

    pid: int
    parent: int
    name: str
    cpu_seconds: float
    megabytes: float  # the most that was resident


@dataclass(frozen=True)
class Measured:
    """One run of one program."""

    seconds: float
    start_seconds: float  # until Spark was ready
    driver: Process
    java: Process
    workers_cpu_seconds: float
    seconds_by_part: Mapping[str, float]  # those of tasks, which run side by side, are added up

    @property
    def cpu_seconds(self) -> float:
        """Return what all processes used together; unlike time, it does not grow with the load of the machine."""
        return self.driver.cpu_seconds + self.java.cpu_seconds + self.workers_cpu_seconds


def main() -> None:
    """Print one line a run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sizes", type=int, nargs="+")
    parser.add_argument("--common-way", type=int, nargs="*", default=[], help="sizes to run in the common way too")
    arguments = parser.parse_args()
    for size in arguments.sizes:
        with tempfile.TemporaryDirectory(prefix="sentinel-benchmark-") as name:
            began = time.perf_counter()
            with filled_mongo(Path(name), size) as settings:
                print(f"{size:,} pull requests stored in {time.perf_counter() - began:.0f} s; "
                      f"load {os.getloadavg()[0]:.1f}", flush=True)
                show("stage", size, run(STAGE, settings, Path(name)))
                if size in arguments.common_way:
                    show("common way", size, run((str(COMMON_WAY),), settings, Path(name)))


def show(name: str, size: int, one: Measured) -> None:
    """Print one run."""
    print(f"{name:12}{one.seconds:8.1f} s{size / one.seconds:8,.0f} rows/s   start {one.start_seconds:5.1f} s   "
          f"CPU {one.cpu_seconds:7.1f} s{1e6 * one.cpu_seconds / size:8,.0f} us a row   "
          f"(driver {one.driver.cpu_seconds:.1f}, Java {one.java.cpu_seconds:.1f}, "
          f"workers {one.workers_cpu_seconds:.1f} s)   driver {one.driver.megabytes:,.0f} MB   "
          f"Java {one.java.megabytes:,.0f} MB   load {os.getloadavg()[0]:.1f}", flush=True)
    told = sum(one.seconds_by_part.values())
    print("".join(f"{'':12}{part:20}{spent:8.1f} s{100 * spent / told:6.0f} %\n"
                  for part, spent in one.seconds_by_part.items()), end="", flush=True)


def run(program: tuple[str, ...], settings: MongoSettings, folder: Path) -> Measured:
    """Run a program to its end."""
    root = str(Path(__file__).parents[1])
    environment = {**os.environ, "MONGODB_URI": settings.mongodb_uri.get_secret_value(), "PYTHONPATH": root,
                   "SENTINEL_OBJECT_STORE_URI": f"file://{folder}/store"}
    began_at, began = datetime.now().astimezone(), time.perf_counter()
    process = subprocess.Popen([sys.executable, *program], env=environment, stdout=subprocess.PIPE)
    seen: dict[int, Process] = {}
    ended = threading.Event()
    watcher = threading.Thread(target=watch, args=(process.pid, seen, ended))
    watcher.start()
    stdout, _ = process.communicate()
    ended.set()
    watcher.join()
    if process.returncode:
        raise SystemExit(stdout.decode()[-3000:])
    seconds, driver = time.perf_counter() - began, seen.pop(process.pid)
    java = max((one for one in seen.values() if one.name == "java"), key=attrgetter("cpu_seconds"))
    workers = sum(one.cpu_seconds for one in seen.values() if one.name != "java")
    finished = json.loads(stdout.splitlines()[-1])
    return Measured(seconds, start_of(stdout, began_at), driver, java, workers, finished.get("seconds_by_part", {}))


def start_of(stdout: bytes, began_at: datetime) -> float:
    """Return the seconds until Spark was ready."""
    events: list[Mapping[str, str]] = [json.loads(line) for line in stdout.splitlines()]
    started = next(event for event in events if event["event"] == "spark_preprocess.spark_started")
    return (datetime.fromisoformat(started["timestamp"]) - began_at).total_seconds()


def watch(ancestor: int, seen: dict[int, Process], ended: threading.Event) -> None:
    """Keep what is known of a process and of all below it, from Linux' /proc."""
    while not ended.wait(0.2):
        below, now = {ancestor}, {found.pid: found for found in map(look_at, Path("/proc").iterdir()) if found}
        for _ in range(4):  # the driver, Java, the daemon of its workers, the workers
            below |= {found.pid for found in now.values() if found.parent in below}
        seen |= {pid: now[pid] for pid in below if pid in now}


def look_at(folder: Path) -> Process | None:
    """Read one process, or None where it is none, or gone."""
    try:
        status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
        seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return Process(int(folder.name), int(status["PPid"]), status["Name"].strip(), seconds,
                       int(status["VmHWM"].split()[0]) / 1000)
    except (OSError, KeyError, ValueError):
        return None


if __name__ == "__main__":
    main()
