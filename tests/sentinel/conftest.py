"""A second server that speaks MongoDB's protocol, written by others in another language."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

JARS = Path(__file__).parents[2] / "build/mongo-java-server"
PROGRAM = Path(__file__).parent / "mongo_java_server/Server.java"


@pytest.fixture(scope="session")
def mongo_java_server_uri() -> Iterator[str]:
    """Return the address of a mongo-java-server that lives as long as the session."""
    if not JARS.exists() or shutil.which("java") is None:
        pytest.skip("mongo-java-server is not here; `make test-mongo-java` fetches it with Maven")
    command = ["java", "-cp", f"{JARS}/*", str(PROGRAM)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            yield f"mongodb://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()
