"""The features of one run of spark_preprocess: checked, in order of time, on disk."""

import errno
import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.compute
import pyarrow.parquet
from numpy.typing import NDArray

from ml_training.rows import ROWS_AT_ONCE
from sentinel.errors import CorruptFileError, DataUnusableError, FingerprintError, UnavailableError
from sentinel.object_store import ObjectStore
from sentinel.provenance import Provenance

FACTS = ("repository", "number", "title", "author", "opened_at", "additions", "deletions", "changed_files", "warm_up")
IN_ORDER = (("opened_at", "ascending"), ("repository", "ascending"), ("number", "ascending"))
LEAST_ROWS = 20  # fewer cannot be split in time into something to fit and something to judge
READ_BYTES = 2 ** 20  # of a column at once; without it, whole columns of a part are read

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Dataset:
    """Pull requests in order of opening: `facts` has the columns FACTS, X is (n_rows, n_features), NaN = absent.

    X lies in a file without a name that ends with the process: ask for a piece of it, not for all.
    """

    provenance: Provenance
    facts: pyarrow.Table
    X: Floats

    def __len__(self) -> int:
        """Count the pull requests."""
        return len(self.X)

    @property
    def repositories(self) -> NDArray[np.str_]:
        """Return the repository of each row."""
        encoded = self.facts["repository"].combine_chunks().dictionary_encode()
        names: NDArray[np.str_] = np.asarray(encoded.dictionary.to_pylist(), dtype=str)[encoded.indices.to_numpy()]
        return names

    @property
    def warm_up(self) -> NDArray[np.bool_]:
        """Tell of each row whether its repository's history was too short."""
        return np.asarray(self.facts["warm_up"].to_numpy(zero_copy_only=False), dtype=bool)


def read_dataset(store: ObjectStore, provenance: Provenance) -> Dataset:
    """Read all parts of a run, a piece at a time, into order of opening.

    Raises CorruptFileError for a file that is cut short or altered, DataUnusableError for too few rows or
    values that are no finite number, UnavailableError where the disk has no room.
    """
    with _room_on_disk(), tempfile.TemporaryDirectory(prefix="sentinel-features-") as folder:
        parts = {name: Path(folder) / f"{place}.parquet" for place, name in enumerate(provenance.parts)}
        tables = [_read_facts(store, provenance, name, path) for name, path in parts.items()]
        n_rows = sum(table.num_rows for table in tables)
        if n_rows < LEAST_ROWS:
            raise DataUnusableError(f"features {provenance.run_id}: seen {n_rows} pull requests, expected at least "
                                    f"{LEAST_ROWS} to learn what is usual; fetch more history or add a repository")
        facts = pyarrow.concat_tables(tables)
        order = pyarrow.compute.sort_indices(facts, sort_keys=list(IN_ORDER)).to_numpy()
        places = np.empty(n_rows, dtype=np.int64)
        places[order] = np.arange(n_rows)  # of each row as read
        X, start = _make_room((n_rows, len(provenance.feature_names))), 0
        n_infinite = np.zeros(X.shape[1], dtype=np.int64)
        for name, path in parts.items():
            for piece in _read_features(store, provenance, name, path):
                X[places[start:start + len(piece)]] = piece
                n_infinite += np.isinf(piece).sum(axis=0)
                start += len(piece)
    _check_finite(provenance, n_infinite)
    return Dataset(provenance, facts.take(order), X)


def check_fingerprint(provenance: Provenance, expected: str) -> None:
    """Raise FingerprintError unless the features were computed by this code."""
    if provenance.feature_fingerprint != expected:
        raise FingerprintError(f"features {provenance.run_id}: fingerprint {provenance.feature_fingerprint}, but this "
                               f"code computes {expected}; run spark_preprocess again with this version")


@contextmanager
def _room_on_disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise UnavailableError(f"{tempfile.gettempdir()}: {error.strerror}, while the features were copied there; make "
                               "room or set TMPDIR to another folder, then run this again") from error


def _make_room(shape: tuple[int, int]) -> Floats:
    """Return a table of zeros in a file; written here, since a map of a full disk kills the process."""
    with tempfile.TemporaryFile(prefix="sentinel-features-") as file:
        for start in range(0, shape[0], ROWS_AT_ONCE):
            file.write(bytes(8 * shape[1] * min(ROWS_AT_ONCE, shape[0] - start)))
        file.flush()
        return np.asarray(np.memmap(file, dtype=np.float64, mode="r+", shape=shape))


def _read_facts(store: ObjectStore, provenance: Provenance, name: str, path: Path) -> pyarrow.Table:
    store.get_file(name, path)
    with open(path, "rb") as file:
        seen = hashlib.file_digest(file, "sha256").hexdigest()
    if seen != provenance.files[name]:
        raise CorruptFileError(f"{store.uri}/{name}: seen sha256 {seen}, expected {provenance.files[name]}; "
                               "run spark_preprocess again")
    with _readable(store, name):
        return pyarrow.parquet.read_table(path, columns=list(FACTS)).select(list(FACTS))


def _read_features(store: ObjectStore, provenance: Provenance, name: str, path: Path) -> Iterator[Floats]:
    """Yield the features of a part in its own order, (at most ROWS_AT_ONCE, n_features) at a time."""
    with _readable(store, name), pyarrow.parquet.ParquetFile(path, buffer_size=READ_BYTES) as file:
        for batch in file.iter_batches(ROWS_AT_ONCE, columns=list(provenance.feature_names)):
            yield np.column_stack([batch.column(feature).to_numpy(zero_copy_only=False).astype(np.float64)
                                   for feature in provenance.feature_names])


@contextmanager
def _readable(store: ObjectStore, name: str) -> Iterator[None]:
    try:
        yield
    except (pyarrow.ArrowException, KeyError) as error:
        raise CorruptFileError(f"{store.uri}/{name}: no parquet of features ({error}); "
                               "run spark_preprocess again") from error


def _check_finite(provenance: Provenance, n_infinite: NDArray[np.int64]) -> None:
    for name, count in zip(provenance.feature_names, n_infinite):
        if count:
            raise DataUnusableError(f"features {provenance.run_id}: {name} has {count} infinite values, "
                                    "expected finite ones or NaN; correct the feature, then run spark_preprocess again")
