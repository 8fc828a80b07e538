"""The features of one run of spark_preprocess, read whole and checked."""

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.compute
import pyarrow.parquet
from numpy.typing import NDArray

from sentinel.errors import CorruptFileError, DataUnusableError, FingerprintError
from sentinel.object_store import ObjectStore
from sentinel.provenance import Provenance

FACTS = ("repository", "number", "title", "author", "opened_at", "additions", "deletions", "changed_files", "warm_up")
LEAST_ROWS = 20  # fewer cannot be split in time into something to fit and something to judge

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Dataset:
    """Pull requests in order of opening: `facts` has the columns FACTS, X is (n_rows, n_features), NaN = absent."""

    provenance: Provenance
    facts: pyarrow.Table
    X: Floats

    def __len__(self) -> int:
        """Count the pull requests."""
        return len(self.X)

    @property
    def repositories(self) -> NDArray[np.str_]:
        """Return the repository of each row."""
        return np.asarray(self.facts["repository"].to_pylist(), dtype=str)

    @property
    def warm_up(self) -> NDArray[np.bool_]:
        """Tell of each row whether its repository's history was too short."""
        return np.asarray(self.facts["warm_up"].to_numpy(zero_copy_only=False), dtype=bool)


def read_dataset(store: ObjectStore, provenance: Provenance) -> Dataset:
    """Read all parts of a run in order of opening.

    Raises CorruptFileError for a file that is cut short or altered, DataUnusableError for too few rows or
    values that are no finite number.
    """
    with tempfile.TemporaryDirectory(prefix="sentinel-features-") as folder:
        tables = [_read_part(store, provenance, name, Path(folder) / f"{place}.parquet")
                  for place, name in enumerate(provenance.parts)]
    n_rows = sum(table.num_rows for table in tables)
    if n_rows < LEAST_ROWS:
        raise DataUnusableError(f"features {provenance.run_id}: seen {n_rows} pull requests, expected at least "
                                f"{LEAST_ROWS} to learn what is usual; fetch more history or add a repository")
    table = pyarrow.concat_tables(tables).sort_by(
        [("opened_at", "ascending"), ("repository", "ascending"), ("number", "ascending")])
    X = np.empty((n_rows, len(provenance.feature_names)))
    for place, name in enumerate(provenance.feature_names):  # in place: all columns twice would need half as much more
        X[:, place] = _column(table, name, provenance.run_id)
    return Dataset(provenance, table.select(list(FACTS)), X)


def check_fingerprint(provenance: Provenance, expected: str) -> None:
    """Raise FingerprintError unless the features were computed by this code."""
    if provenance.feature_fingerprint != expected:
        raise FingerprintError(f"features {provenance.run_id}: fingerprint {provenance.feature_fingerprint}, but this "
                               f"code computes {expected}; run spark_preprocess again with this version")


def _read_part(store: ObjectStore, provenance: Provenance, name: str, path: Path) -> pyarrow.Table:
    store.get_file(name, path)
    with open(path, "rb") as file:
        seen = hashlib.file_digest(file, "sha256").hexdigest()
    if seen != provenance.files[name]:
        raise CorruptFileError(f"{store.uri}/{name}: seen sha256 {seen}, expected {provenance.files[name]}; "
                               "run spark_preprocess again")
    try:
        return pyarrow.parquet.read_table(path, columns=[*FACTS, *provenance.feature_names])
    except (pyarrow.ArrowException, OSError, KeyError) as error:
        raise CorruptFileError(f"{store.uri}/{name}: no parquet of features ({error}); "
                               "run spark_preprocess again") from error


def _column(table: pyarrow.Table, name: str, run_id: str) -> Floats:
    column: Floats = table[name].to_numpy().astype(np.float64)
    if np.isinf(column).any():
        raise DataUnusableError(f"features {run_id}: {name} has {int(np.isinf(column).sum())} infinite values, "
                                "expected finite ones or NaN; correct the feature, then run spark_preprocess again")
    return column
