"""Tags, locks and Dockerfiles of the images, and building what is missing; no Docker is needed."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from delivery.docker import build_image, find_image
from delivery.image_tree import FOLDERS, ROOT, find_image_tree, git, has_changes
from delivery.locks import BUILD_LOCK, GROUPS, LOCK, TORCH_LOCK, read_lock
from sentinel.errors import FixNeededError, UnavailableError

STAND_IN = Path(__file__).parent / "programs"
IDENTITY = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b",
            "GIT_COMMITTER_DATE": "2026-01-31T12:00:00Z", "GIT_AUTHOR_DATE": "2026-01-31T12:00:00Z"}
LOCKS = [path for folder in GROUPS for name in (LOCK, TORCH_LOCK, BUILD_LOCK) for path in [ROOT / folder / name]
         if path.exists()]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a checkout with the files that images are made of."""
    git(tmp_path, "init", "--quiet")
    write(tmp_path, ".dockerignore", "*")
    for folder in FOLDERS.values():
        write(tmp_path, f"{folder}/Dockerfile", "FROM scratch")
    for path in ("sentinel/errors.py", "sentinel/command/run.py", "docs/features.md"):
        write(tmp_path, path, "first")
    return commit(tmp_path)


@pytest.mark.parametrize("path, changed", [
    ("data_fetch/readers.py", {"data-fetch"}), ("sentinel/errors.py", set(FOLDERS)), (".dockerignore", set(FOLDERS)),
    ("sentinel/command/run.py", set()), ("docs/features.md", set()),
])
def test_tag_changes_with_what_goes_into_the_image(repository, path, changed):
    before = tags(repository)
    write(repository, path, "second")
    commit(repository)

    assert changed == {stage for stage, tag in tags(repository).items() if tag != before[stage]}


def test_tag_comes_back_with_the_files(repository):
    before = tags(repository)
    write(repository, "sentinel/errors.py", "second")
    commit(repository)
    write(repository, "sentinel/errors.py", "first")
    commit(repository)

    assert before == tags(repository)


def test_tag_is_a_tree_of_exactly_the_files_of_the_image(repository):
    tree = find_image_tree("ml-training", repository).tree

    assert [".dockerignore", "ml_training/Dockerfile", "sentinel/errors.py"] == \
        git(repository, "ls-tree", "-r", "--name-only", tree).splitlines()


def test_tag_is_of_what_is_committed(repository):
    before = tags(repository)
    write(repository, "data_fetch/readers.py", "not committed")

    assert before == tags(repository)
    assert [True, False] == [has_changes(stage, repository) for stage in ("data-fetch", "ml-training")]


def test_revision_is_the_last_commit_that_changed_a_file_of_the_image(repository):
    first = git(repository, "rev-parse", "HEAD")
    write(repository, "docs/features.md", "second")
    commit(repository)

    assert first == find_image_tree("data-fetch", repository).revision


def test_base_that_is_given_is_part_of_the_tag(repository):
    bases = (None, "python@sha256:1", "python:2")

    assert len(bases) == len({find_image_tree("data-fetch", repository, base=base).tree for base in bases})


def test_revision_without_the_image_is_refused(repository):
    git(repository, "rm", "-q", "data_fetch/Dockerfile")
    commit(repository)

    with pytest.raises(FixNeededError, match="HEAD of .* has no data_fetch/Dockerfile"):
        find_image_tree("data-fetch", repository)


def test_left_out_folder_is_that_of_the_docker_context():
    allowed = (ROOT / ".dockerignore").read_text().splitlines()

    assert "*" == next(line for line in allowed if not line.startswith("#"))
    assert {"sentinel", *FOLDERS.values()} == {line[1:] for line in allowed if line.startswith("!")}
    assert "sentinel/command" in allowed


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_lock_of_an_image_is_part_of_the_one_lock(path):
    whole = set(re.findall(r"^([\w.-]+)==([^ ;\n]+)", (ROOT / LOCK).read_text(), re.MULTILINE))
    pins = list(read_lock(path.read_text()))

    assert pins and set() == {(pin.name, pin.version) for pin in pins} - whole


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_lock_of_an_image_has_hashes_and_names_no_index(path):
    pins = list(read_lock(path.read_text()))

    assert [] == [pin.name for pin in pins if not re.search(r"--hash=sha256:[0-9a-f]{64}", pin.text)]
    assert [] == re.findall(r"https?://\S+|--(?:extra-)?index\S*|^#.*", path.read_text(), re.MULTILINE)


@pytest.mark.parametrize("folder", GROUPS)
def test_lock_of_an_image_has_all_that_its_stage_asks_for(folder):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    of_groups = [one for group in GROUPS[folder] for one in project["optional-dependencies"][group]]
    asked = [*project["dependencies"], *of_groups]
    locked = {pin.name for name in (LOCK, TORCH_LOCK) if (ROOT / folder / name).exists()
              for pin in read_lock((ROOT / folder / name).read_text())}

    assert set() == {re.split(r"[^\w-]", one)[0].lower() for one in asked} - locked


@pytest.mark.parametrize("stage, heavy", [
    ("model-serving", "torch"), ("model-serving", "pyspark"), ("data-fetch", "numpy"), ("spark-preprocess", "torch"),
    ("ml-training", "pyspark"),
])
def test_image_does_not_carry_what_another_stage_needs(stage, heavy):
    assert heavy not in {pin.name for pin in read_lock((ROOT / FOLDERS[stage] / LOCK).read_text())}


@pytest.mark.parametrize("folder", GROUPS)
def test_dockerfile_starts_the_stage_as_a_number_without_a_shell(folder):
    lines = (ROOT / folder / "Dockerfile").read_text().splitlines()
    final = lines[max(place for place, line in enumerate(lines) if line.startswith("FROM")):]

    assert f'ENTRYPOINT ["/opt/venv/bin/python", "-m", "{folder}"]' in final
    assert "USER 10001:10001" in final
    assert not [line for line in final if line.startswith(("RUN", "CMD", "ADD"))]


@pytest.mark.parametrize("folder", GROUPS)
def test_dockerfile_is_one_for_both_builders(folder):
    text = (ROOT / folder / "Dockerfile").read_text()

    assert [] == re.findall(r"--mount\S*|^# ?syntax.*|<<\w+", text, re.MULTILINE)
    assert 2 == text.count("FROM ${BASE}")


@pytest.mark.parametrize("folder", GROUPS)
def test_dockerfile_installs_by_hash(folder):
    """Only a build of torch that somebody asks for by the address of its index has no hash."""
    text = (ROOT / folder / "Dockerfile").read_text().replace("\\\n", "")
    installations = re.findall(r"pip [^&;]*\b(?:install|wheel) [^&;]*", text)

    assert installations
    assert [] == [one for one in installations
                  if not re.search(r"--require-hashes|--no-index|--index-url \"\$\{TORCH_INDEX\}\"", one)]


def test_image_that_is_there_is_not_built_again(repository, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{STAND_IN}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("TRIAL_MACHINE", str(make_folder(tmp_path / "machine")))
    monkeypatch.setenv("TRIAL_CALLS", str(tmp_path / "calls"))
    said = [run_images("build", "data-fetch", "--repository", str(repository)) for _ in range(2)]

    assert [0, 0] == [done.returncode for done in said], said[0].stderr
    assert ["built in", "is there already"] == [re.findall("built in|is there already", one.stdout)[0] for one in said]
    assert 1 == (tmp_path / "calls").read_text().count("docker build")


def test_context_of_a_build_is_the_tree_alone(repository, tmp_path, monkeypatch):
    write(repository, "data_fetch/secret.env", "not committed")
    program = tmp_path / "programs" / "docker"
    write(tmp_path, "programs/docker", '#!/bin/sh\nexec cat > "$0.context"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")

    build_image(repository, find_image_tree("data-fetch", repository), "data-fetch:1", "default", {})

    listed = subprocess.run(["tar", "-tf", f"{program}.context"], capture_output=True, text=True, check=True).stdout
    assert [".dockerignore", "data_fetch/Dockerfile", "sentinel/errors.py"] == \
        [line for line in listed.splitlines() if not line.endswith("/")]


@pytest.mark.parametrize("script, error", [("echo 'Cannot connect to the daemon' >&2; exit 1", "Cannot connect"),
                                           ("echo 'permission denied' >&2; exit 126", "permission denied")])
def test_docker_that_fails_is_told_in_its_own_words(tmp_path, monkeypatch, script, error):
    write(tmp_path, "docker", f"#!/bin/sh\n{script}\n")
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    with pytest.raises(UnavailableError, match=error):
        find_image("data-fetch:1")


def test_docker_that_is_not_installed_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(FixNeededError, match="docker is not installed"):
        find_image("data-fetch:1")


def tags(repository: Path) -> dict[str, str]:
    """Return the tag of each stage."""
    return {stage: find_image_tree(stage, repository).tree for stage in FOLDERS}


def write(root: Path, path: str, text: str) -> None:
    """Write a file, and its folder."""
    make_folder((root / path).parent)
    (root / path).write_text(text)


def make_folder(path: Path) -> Path:
    """Make a folder where there is none."""
    path.mkdir(parents=True, exist_ok=True)
    return path


def commit(repository: Path) -> Path:
    """Commit everything."""
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", "Change", variables=IDENTITY)
    return repository


def run_images(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the command as `make` does."""
    command = [sys.executable, "-m", "delivery.images", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
