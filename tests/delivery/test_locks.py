"""What is pinned: newer versions are looked for wherever something is, and locks are what their manifests ask for."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from delivery.locks import CHECKOV, GROUPS, LOCK, ROOT, SINGLE, TORCH_LOCK, main, read_lock

DEPENDABOT = yaml.safe_load((ROOT / ".github/dependabot.yml").read_text("utf-8"))["updates"]
# Who reads which file, by the ends of their names: https://docs.github.com/code-security/dependabot.
READERS = {"Dockerfile": "docker", "compose.yaml": "docker-compose", "pyproject.toml": "pip", ".in": "pip",
           "pom.xml": "maven", "package.json": "npm", "go.mod": "gomod", "Cargo.toml": "cargo", "Gemfile": "bundler",
           "requirements.txt": "pip", ".github/workflows/stage.yml": "github-actions"}
CHECKOV_LOCK = str(Path(CHECKOV).with_suffix(".lock"))
# From which manifest each lock is written; a lock itself is read by none of them.
WRITTEN_FROM = {LOCK: "pyproject.toml", CHECKOV_LOCK: CHECKOV, **dict.fromkeys(SINGLE, "pyproject.toml"),
                **{f"{folder}/{name}": "pyproject.toml" for folder in GROUPS for name in (LOCK, TORCH_LOCK)}}


def tracked(*patterns: str) -> list[str]:
    done = subprocess.run(["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", "--",
                           *patterns], capture_output=True, text=True, check=True)
    return [name for name in done.stdout.splitlines() if (ROOT / name).exists()]


def is_watched(manifest: str) -> bool:
    """Tell whether Dependabot looks into the folder of a manifest, with the eyes of the one who reads it."""
    ecosystem = next(reader for end, reader in READERS.items() if manifest.endswith(end))
    parent = "." if ecosystem == "github-actions" else str(Path(manifest).parent)
    folder = "/" if parent == "." else f"/{parent}"
    return any(one["package-ecosystem"] == ecosystem and folder in one.get("directories", [one.get("directory")])
               for one in DEPENDABOT)


def test_every_lock_is_written_from_a_manifest_that_dependabot_watches():
    locks = tracked("*.lock", "*-lock.*", "*lock.json", "go.sum")

    assert CHECKOV_LOCK in locks and len(locks) >= len(GROUPS) + 3
    assert [] == [lock for lock in locks if lock not in WRITTEN_FROM]
    assert [] == [lock for lock in locks if not is_watched(WRITTEN_FROM[lock])]


def test_every_manifest_in_the_tree_is_watched():
    manifests = tracked(*(f"*{end}" for end in READERS))

    assert {"pyproject.toml", CHECKOV, "data_fetch/Dockerfile", "compose.yaml"} <= set(manifests)
    assert [] == [manifest for manifest in manifests if not is_watched(manifest)]


def test_dependabot_looks_nowhere_in_vain():
    folders = [folder for one in DEPENDABOT for folder in one.get("directories", [one.get("directory")])]

    assert [] == [folder for folder in folders if not (ROOT / folder.lstrip("/")).is_dir()]


def test_newer_versions_are_taken_a_week_after_they_came_out():
    assert [] == [one["package-ecosystem"] for one in DEPENDABOT if one["cooldown"]["default-days"] < 7]


def test_lock_of_checkov_is_of_the_version_that_is_asked_for():
    """So that a newer version is not merged without its lock."""
    asked = dict(re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / CHECKOV).read_text("utf-8"), re.MULTILINE))
    locked = {pin.name: pin for pin in read_lock((ROOT / CHECKOV_LOCK).read_text("utf-8"))}

    assert asked and asked.items() <= {name: pin.version for name, pin in locked.items()}.items(), "make lock-images"
    assert [] == [name for name, pin in locked.items() if "--hash=sha256:" not in pin.text]


@pytest.mark.parametrize("path, name", SINGLE.items())
def test_single_lock_is_part_of_the_one_lock_and_asked_for_in_the_project(path, name):
    whole = {(pin.name, pin.version) for pin in read_lock((ROOT / LOCK).read_text("utf-8"))}
    pins = list(read_lock((ROOT / path).read_text("utf-8")))

    assert name.replace(".", "-") in {pin.name for pin in pins}
    assert set() == {(pin.name, pin.version) for pin in pins} - whole
    assert [] == [pin.name for pin in pins if "--hash=sha256:" not in pin.text]
    assert f'"{name}>=' in (ROOT / "pyproject.toml").read_text("utf-8")


@pytest.mark.parametrize("script, code, said", [
    (None, 2, "uv is not installed"), ("exec sleep 100", 75, "uv did not resolve within 1 s"), ("exit 3", 3, ""),
])
def test_uv_that_does_not_resolve_is_told(tmp_path, monkeypatch, capsys, script, code, said):
    monkeypatch.setattr("delivery.locks.UV_SECONDS", 1.0)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin" if script else str(tmp_path))
    if script:
        (tmp_path / "uv").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "uv").chmod(0o755)

    with pytest.raises(SystemExit) as ended:
        main()
    assert code == ended.value.code
    assert said in capsys.readouterr().err
