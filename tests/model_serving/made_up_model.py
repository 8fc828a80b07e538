"""A tiny real model of the made-up repositories, by the real trainer."""

from ml_training.assembly import assemble_model
from ml_training.dataset import read_dataset
from ml_training.detector import AutoencoderDetector
from ml_training.settings import Hyperparameters
from ml_training.splits import rows_of, split_in_time
from ml_training.verdict_table import write_verdicts
from model_serving.assembly import Registration, assemble_copy
from model_serving.champion_copy import MODEL, ChampionFolder
from model_serving.settings import ServingSettings
from sentinel.model import AnomalyModel
from sentinel.object_store import ObjectStore, open_object_store
from sentinel.provenance import Provenance

SMALL = Hyperparameters(n_networks=1, trimmed_networks=0, hidden_width=8, min_steps=5, max_steps=20, threads=1)
VERSION = "20260701T000001Z-00000001"


def train_on(store: ObjectStore, provenance: Provenance, version: str = VERSION) -> bytes:
    """Return the model file; the verdicts are in the store."""
    dataset = read_dataset(store, provenance)
    splits = split_in_time(dataset.repositories, SMALL.validation_share, SMALL.test_share)
    rows = rows_of(splits, "train", dataset.warm_up)
    detector = AutoencoderDetector(settings=SMALL).fit(dataset.X[rows])
    assembled = assemble_model(detector, dataset, splits, SMALL, version, training_run_id="none")
    write_verdicts(store, AnomalyModel.from_bytes(assembled.content), dataset, splits)
    return assembled.content


def copy_model(settings: ServingSettings, content: bytes, registry_version: str = "1") -> str:
    """Make a model file the copy in use, as if it came from MLflow."""
    folder = ChampionFolder(settings.champion_folder)
    with folder.unfinished() as unfinished:
        (unfinished / MODEL).write_bytes(content)
        registration = Registration(settings.model_name, registry_version, None, None)
        return assemble_copy(folder, unfinished, open_object_store(settings), registration)
