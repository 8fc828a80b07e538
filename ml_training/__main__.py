"""Train on the newest features, register the model, write the verdicts; or look after the registered models.

    python -m ml_training
    python -m ml_training models
    python -m ml_training promote NUMBER --who NAME --why REASON
    python -m ml_training rollback --who NAME --why REASON
"""

import argparse
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ml_training.settings import MlTrainingSettings, ModelsSettings
from sentinel.object_store import open_object_store
from sentinel.settings import load_settings
from sentinel.stage import exit_with, run_stage


def main() -> None:
    """Run what the command line asks for and exit with its code."""
    arguments = _parse_arguments()
    exit_with(run_stage("ml_training", lambda: _train() if arguments.task is None else _look_after(arguments)))


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m ml_training", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    tasks = parser.add_subparsers(dest="task")
    tasks.add_parser("models", help="list the registered models")
    promotion = tasks.add_parser("promote", help="make a version the champion")
    promotion.add_argument("number", help="the registry's number of the version")
    for task in (promotion, tasks.add_parser("rollback", help="bring the champion's predecessor back")):
        task.add_argument("--who", required=True, help="your name, kept with the version")
        task.add_argument("--why", required=True, help="your reason, kept with the version")
    return parser.parse_args()


def _train() -> Mapping[str, Any]:
    settings = load_settings(MlTrainingSettings)
    store = open_object_store(settings)
    # torch and mlflow take seconds to import: settings that are wrong are told before.
    from ml_training.registry import Registry
    from ml_training.train_autoencoder import train_autoencoder

    return train_autoencoder(settings.hyperparameters, store, Registry(settings))


def _look_after(arguments: argparse.Namespace) -> Mapping[str, Any]:
    settings = load_settings(ModelsSettings)
    store = open_object_store(settings)
    from ml_training.models import describe_models, promote, roll_back
    from ml_training.registry import Registry

    registry = Registry(settings)
    if arguments.task == "models":
        return {"models": describe_models(registry)}
    if arguments.task == "promote":
        return promote(registry, store, arguments.number, arguments.who, arguments.why, datetime.now(UTC))
    return roll_back(registry, store, arguments.who, arguments.why, datetime.now(UTC))


if __name__ == "__main__":
    main()
