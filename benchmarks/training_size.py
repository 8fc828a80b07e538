"""Measure the time and the memory of the whole stage on made-up features.

    python benchmarks/training_size.py --rows 1000000 --folder build/size
"""

import argparse
import resource
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from ml_training.registry import Registry  # noqa: E402
from ml_training.settings import default_hyperparameters  # noqa: E402
from ml_training.train_autoencoder import train_autoencoder  # noqa: E402
from sentinel.object_store import FolderStore  # noqa: E402
from sentinel.settings import MlflowSettings  # noqa: E402


def main() -> None:
    """Write features in another process, whose memory does not count, then train on them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, required=True)
    arguments = parser.parse_args()
    store = FolderStore(arguments.folder.absolute().as_uri(), arguments.folder)
    if not store.names("features/"):
        _publish_elsewhere(arguments.rows, arguments.folder)
    registry = Registry(MlflowSettings(mlflow_tracking_uri=f"sqlite:///{arguments.folder.absolute()}/mlflow.db"))
    started, processor = time.perf_counter(), time.process_time()
    train_autoencoder(default_hyperparameters(), store, registry)
    print(f"{arguments.rows:,} rows: {time.perf_counter() - started:.1f} s, {time.process_time() - processor:.1f} s of "
          f"the processor, at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")


def _publish_elsewhere(n_rows: int, folder: Path) -> None:
    import multiprocessing

    process = multiprocessing.get_context("spawn").Process(target=_publish, args=(n_rows, folder))
    process.start()
    process.join()


def _publish(n_rows: int, folder: Path) -> None:
    from tests.ml_training.small_features import make_rows, publish_features

    repositories = tuple(f"octo/part{number}" for number in range(20))
    publish_features(FolderStore("", folder), make_rows(n_rows), repositories)


if __name__ == "__main__":
    main()
