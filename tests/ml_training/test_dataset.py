"""Features are read in batches, into order of time."""

import hashlib
import io
from dataclasses import replace

import numpy as np
import pyarrow.parquet
import pytest

from ml_training import dataset
from ml_training.dataset import read_dataset
from sentinel.errors import CorruptFileError, UnavailableError
from tests.ml_training.small_features import make_rows, publish_features


def cut_into_parts(store, provenance, order, n_parts, columns=None):
    """Write the rows again in another order, as several parts."""
    table = pyarrow.parquet.read_table(io.BytesIO(store.get_bytes(provenance.parts[0]))).take(order)
    files = {}
    for place, rows in enumerate(np.array_split(np.arange(len(order)), n_parts)):
        buffer, name = io.BytesIO(), f"features/{provenance.run_id}/part-{place}.parquet"
        pyarrow.parquet.write_table(table.take(rows).select(columns or table.column_names), buffer)
        store.put_bytes(name, buffer.getvalue())
        files[name] = hashlib.sha256(buffer.getvalue()).hexdigest()
    return replace(provenance, files=files)


def test_rows_come_in_order_of_opening_whatever_the_parts(store, monkeypatch):
    X, order = make_rows(50), np.random.default_rng(0).permutation(50)
    provenance = cut_into_parts(store, publish_features(store, X), order, n_parts=3)
    monkeypatch.setattr(dataset, "ROWS_AT_ONCE", 7)

    read = read_dataset(store, provenance)

    assert np.array_equal(X, read.X, equal_nan=True)
    assert list(range(1, 51)) == read.facts["number"].to_pylist()
    assert ["octo/one"] * 50 == read.repositories.tolist()


def test_part_without_a_feature_is_refused(store):
    provenance = cut_into_parts(store, publish_features(store, make_rows(30)), np.arange(30), 1, [*dataset.FACTS])

    with pytest.raises(CorruptFileError, match="no parquet of features"):
        read_dataset(store, provenance)


def test_full_disk_is_told(features, store, monkeypatch):
    monkeypatch.setattr(dataset.tempfile, "TemporaryFile", lambda **_: open("/dev/full", "r+b", buffering=0))

    with pytest.raises(UnavailableError, match="No space left on device, while the features were copied"):
        read_dataset(store, features)
