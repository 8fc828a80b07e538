"""`python -m ml_training`: train on the newest features, register the model, write the verdicts."""

from collections.abc import Mapping
from typing import Any

from ml_training.settings import MlTrainingSettings
from sentinel.object_store import open_object_store
from sentinel.settings import load_settings
from sentinel.stage import exit_with, run_stage


def main() -> None:
    """Run the stage and exit with its code."""
    exit_with(run_stage("ml_training", _job))


def _job() -> Mapping[str, Any]:
    settings = load_settings(MlTrainingSettings)
    store = open_object_store(settings)
    # torch and mlflow take seconds to import: settings that are wrong are told before.
    from ml_training.registry import Registry
    from ml_training.train_autoencoder import train_autoencoder

    return train_autoencoder(settings.hyperparameters, store, Registry(settings))


if __name__ == "__main__":
    main()
