"""The four stages as programs: command line and environment of each."""

import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path

import sentinel
from sentinel.command.child import Program
from sentinel.command.data_folder import DataFolder

FETCH, PREPROCESS, TRAIN, SERVE = "data_fetch", "spark_preprocess", "ml_training", "model_serving"
OBJECT_STORE, MLFLOW, MONGODB = "SENTINEL_OBJECT_STORE_URI", "MLFLOW_TRACKING_URI", "MONGODB_URI"
CHAMPION_FOLDER = "SENTINEL_CHAMPION_FOLDER"  # the scorer's last good copy


def stage_environment(data: DataFolder, given: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of every stage: `given`, and the data folder where it names no store."""
    defaults = {OBJECT_STORE: data.object_store_uri, MLFLOW: data.mlflow_uri,
                CHAMPION_FOLDER: str(data.path / "champion")}
    return {**defaults, **given, **import_path(given)}


def batch_programs(sources: Sequence[str], environment: Mapping[str, str]) -> tuple[Program, ...]:
    """Return the three stages that end, in order."""
    named = [argument for source in sources for argument in ("--source", source)]
    return (stage_program(FETCH, named, environment), stage_program(PREPROCESS, (), environment),
            stage_program(TRAIN, (), environment))


def stage_program(stage: str, arguments: Sequence[str], environment: Mapping[str, str]) -> Program:
    """Return one stage; the folder it is started in is no place to import from."""
    return Program(stage, (sys.executable, "-P", "-m", stage, *arguments), environment)


def import_path(given: Mapping[str, str]) -> dict[str, str]:
    """Let the stages, and Spark's workers below them, import from where this package lies."""
    root = Path(sentinel.__file__).parent.parent
    if root == Path(sysconfig.get_path("purelib")):
        return {}
    before = given.get("PYTHONPATH")
    return {"PYTHONPATH": f"{root}:{before}" if before else str(root)}
