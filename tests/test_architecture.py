"""The rules of the layout, read from the syntax trees; each rule is also shown a planted violation."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
STAGES = ("data_fetch", "spark_preprocess", "ml_training", "model_serving")
PACKAGES = ("sentinel", *STAGES)

# Where a library may be imported; a path that ends in "/" is a folder.
HOMES = {
    "pyspark": ("spark_preprocess/",), "py4j": ("spark_preprocess/",), "pandas": ("spark_preprocess/",),
    "torch": ("ml_training/",), "onnx": ("ml_training/",), "pandera": ("spark_preprocess/",),
    "mlflow": ("ml_training/", "model_serving/"),
    "flask": ("model_serving/",), "gunicorn": ("model_serving/",), "gevent": ("model_serving/",),
    "pymongo": ("sentinel/mongo.py", "sentinel/stored_hashes.py", "sentinel/command/embedded_mongo.py"),
    "hvac": ("sentinel/",), "boto3": ("sentinel/bucket_store.py",), "botocore": ("sentinel/bucket_store.py",),
    "httpx2": ("sentinel/sources/",),
    "click": ("sentinel/command/",), "rich": ("sentinel/command/",), "matplotlib": ("ml_training/",),
}
OTHER_IMAGES = frozenset({"model_serving/locustfile.py"})  # files of a stage that its own image does not run
ENVIRONMENT = frozenset({"environ", "environb", "getenv"})
MAY_READ_ENVIRONMENT = re.compile(r"(.*/)?__main__\.py|sentinel/settings\.py")
# Names of imports that differ from those of the distributions in pyproject.toml.
IMPORTS_OF = {
    "mlflow-skinny": {"mlflow"}, "pydantic-settings": {"pydantic_settings", "pydantic"},
    "boto3": {"boto3", "botocore"}, "pymongo": {"pymongo", "bson"}, "flask": {"flask", "werkzeug"},
    "pyspark": {"pyspark", "py4j"}, "torch": {"torch", "numpy"}, "onnxruntime": {"onnxruntime", "numpy"},
    "pandas": {"pandas", "numpy"}, "pyjwt": {"jwt", "cryptography"}, "hvac": {"hvac", "requests"},
}


@dataclass(frozen=True)
class Import:
    """One import statement of ours."""

    path: str  # "sentinel/mongo.py"
    line: int
    module: str  # "pymongo.errors"

    @property
    def package(self) -> str:
        """Return the top-level package."""
        return self.module.partition(".")[0]

    def __str__(self) -> str:
        return f"{self.path}:{self.line} imports {self.module}"


def test_stages_import_sentinel_and_never_each_other_nor_the_command():
    assert [] == stage_violations(ROOT)


def test_sentinel_imports_no_stage():
    assert [] == sentinel_violations(ROOT)


def test_heavy_libraries_stay_at_home():
    assert [] == home_violations(ROOT)


@pytest.mark.parametrize("stage", STAGES)
def test_stage_reaches_only_libraries_of_its_own_image(stage):
    assert [] == image_violations(ROOT, stage)


def test_only_the_entry_points_and_the_settings_read_the_environment():
    assert [] == environment_violations(ROOT)


def test_no_module_is_named_after_nothing():
    named = [path for path in modules(ROOT) if Path(path).stem in {"utils", "util", "helpers", "common", "misc"}]

    assert [] == named


def test_every_stage_is_seen():
    assert set(PACKAGES) == {path.partition("/")[0] for path in modules(ROOT)}


@pytest.mark.parametrize("line, violations", [
    ("import ml_training.networks", "stage"),
    ("from model_serving import body", "stage"),
    ("from sentinel.command import child", "stage"),
    ("def f():\n    import torch", "home"),
    ("from pymongo import MongoClient", "home"),
    ("from sentinel import heavy", "image"),
    ("import os\nTOKEN = os.environ['TOKEN']", "environment"),
    ("import os\nTOKEN = os.getenv('TOKEN')", "environment"),
    ("import os as system\nTOKEN = system.environ['TOKEN']", "environment"),
    ("from os import environ", "environment"),
    ("import os\ndef f(given=os.environ):\n    pass", "environment"),
])
def test_planted_violation_is_found(tmp_path, line, violations):
    plant(tmp_path, "sentinel/heavy.py", "import pyarrow\n")
    plant(tmp_path, "data_fetch/planted.py", line)
    find = {"stage": stage_violations, "home": home_violations, "environment": environment_violations,
            "image": lambda root: image_violations(root, "data_fetch")}[violations]

    assert 1 == len(find(tmp_path))


def test_planted_import_of_a_stage_by_sentinel_is_found(tmp_path):
    plant(tmp_path, "sentinel/planted.py", "import data_fetch.settings\n")

    assert ["sentinel/planted.py:1 imports data_fetch.settings"] == sentinel_violations(tmp_path)


def test_import_for_types_only_is_no_violation(tmp_path):
    plant(tmp_path, "data_fetch/planted.py", "if TYPE_CHECKING:\n    import torch\n")

    assert [] == home_violations(tmp_path)


@pytest.mark.parametrize("line", [
    "os.environ['A'] = 'b'", "os.environ.setdefault('C', 'd')", "subprocess.run([], env={**os.environ, 'A': 'b'})",
])
def test_setting_and_handing_on_variables_is_no_violation(tmp_path, line):
    plant(tmp_path, "data_fetch/planted.py", f"import os\n{line}\n")

    assert [] == environment_violations(tmp_path)


def stage_violations(root: Path) -> list[str]:
    """List imports of a stage that cross to another one, or to the command."""
    return [str(found) for found in imports(root) for own in [found.path.partition("/")[0]] if own in STAGES
            and (found.package in set(STAGES) - {own} or found.module.startswith("sentinel.command"))]


def sentinel_violations(root: Path) -> list[str]:
    """List imports of stages by what they share."""
    return [str(found) for found in imports(root) if found.path.startswith("sentinel/") and found.package in STAGES]


def home_violations(root: Path) -> list[str]:
    """List imports of libraries outside their one place."""
    return [str(found) for found in imports(root) if found.package in HOMES
            and not any(found.path == home or (home.endswith("/") and found.path.startswith(home))
                        for home in HOMES[found.package])]


def image_violations(root: Path, stage: str) -> list[str]:
    """List imports that a stage reaches, directly or through sentinel, of libraries that its image lacks."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    allowed = set(PACKAGES) | set(sys.stdlib_module_names)
    for requirement in project["dependencies"] + project["optional-dependencies"][stage.replace("_", "-")]:
        name = re.split(r"[^A-Za-z0-9_-]", requirement)[0]
        allowed |= IMPORTS_OF.get(name, {name.replace("-", "_")})
    return [str(found) for found in reached_imports(root, stage) if found.package not in allowed]


def reached_imports(root: Path, stage: str) -> list[Import]:
    """Follow imports from every module of `stage` into sentinel."""
    by_path: dict[str, list[Import]] = {path: [] for path in modules(root)}
    for found in imports(root):
        by_path[found.path].append(found)
    waiting = [path for path in by_path if path.startswith(f"{stage}/") and path not in OTHER_IMAGES]
    seen: set[str] = set()
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen.add(path)
            waiting.extend(file for found in by_path[path] for file in files_of(found.module) if file in by_path)
    return [found for path in sorted(seen) for found in by_path[path]]


def files_of(module: str) -> Iterator[str]:
    """Yield the files that importing `module` runs, if they are there."""
    parts = module.split(".")
    for end in range(1, len(parts) + 1):
        yield "/".join(parts[:end]) + "/__init__.py"
    yield "/".join(parts) + ".py"


def environment_violations(root: Path) -> list[str]:
    """List reads of the environment outside the entry points and the settings.

    Setting a variable for a library and handing all of them on to a child process are no reads.
    """
    return [f"{path}:{node.lineno} reads the environment" for path, tree in trees(root)
            if not MAY_READ_ENVIRONMENT.fullmatch(path) for node in environment_reads(tree)]


def environment_reads(tree: ast.AST) -> Iterator[ast.expr | ast.stmt]:
    """Yield what reads os.environ or os.getenv."""
    not_read = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
            not_read.add(id(node.value))
        if isinstance(node, ast.Attribute) and node.attr in ("setdefault", "update"):
            not_read.add(id(node.value))
        if isinstance(node, ast.Dict):
            not_read.update(id(value) for key, value in zip(node.keys, node.values, strict=True) if key is None)
    modules = {alias.asname or alias.name for node in ast.walk(tree) if isinstance(node, ast.Import)
               for alias in node.names if alias.name == "os"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in ENVIRONMENT and id(node) not in not_read \
                and isinstance(node.value, ast.Name) and node.value.id in modules:
            yield node
        if isinstance(node, ast.ImportFrom) and node.module == "os":
            yield from (node for alias in node.names if alias.name in ENVIRONMENT)


def imports(root: Path) -> Iterator[Import]:
    """Yield every import of our code, in functions too, but not those for types only."""
    for path, tree in trees(root):
        for node in walk_running_code(tree):
            if isinstance(node, ast.Import):
                yield from (Import(path, node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = node.module or ""
                if node.level:
                    base = ".".join([*Path(path).parts[:-node.level], *([base] if base else [])])
                yield Import(path, node.lineno, base)
                yield from (Import(path, node.lineno, f"{base}.{alias.name}") for alias in node.names
                            if is_module(root, f"{base}.{alias.name}"))


def is_module(root: Path, name: str) -> bool:
    """Tell whether `from sentinel import mongo` names a module of ours, or something inside one."""
    path = root.joinpath(*name.split("."))
    return path.is_dir() or path.with_name(f"{path.name}.py").is_file()


def walk_running_code(tree: ast.AST) -> Iterator[ast.AST]:
    """Walk the tree without the bodies of `if TYPE_CHECKING`."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting.extend(node.orelse)
        else:
            waiting.extend(ast.iter_child_nodes(node))


def trees(root: Path) -> Iterator[tuple[str, ast.Module]]:
    """Yield the path and the syntax tree of every module."""
    for path in modules(root):
        yield path, ast.parse((root / path).read_text())


def modules(root: Path) -> list[str]:
    """List our modules, sorted."""
    return sorted(file.relative_to(root).as_posix() for package in PACKAGES for file in (root / package).rglob("*.py"))


def plant(root: Path, path: str, code: str) -> None:
    """Write a module with a violation in it."""
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(code)
