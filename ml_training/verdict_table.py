"""The verdicts of all rows as one parquet file in the object store, replaced whole."""

import tempfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
from numpy.typing import NDArray

from ml_training.dataset import Dataset
from sentinel.errors import NotFoundError
from sentinel.model import AnomalyModel
from sentinel.object_store import ObjectStore
from sentinel.verdict import make_verdicts
from sentinel.verdict_files import verdicts_name

ROWS_AT_ONCE = 10_000
FEATURES_RUN = b"features_run_id"  # key in the file's metadata
REASON = pyarrow.struct([
    ("feature", pyarrow.string()), ("group", pyarrow.string()), ("sentence", pyarrow.string()),
    ("contribution", pyarrow.float64()), ("value", pyarrow.float64()), ("percentile", pyarrow.float64()),
])
SCHEMA = pyarrow.schema([
    ("repository", pyarrow.string()), ("number", pyarrow.int64()), ("title", pyarrow.string()),
    ("author", pyarrow.string()), ("opened_at", pyarrow.timestamp("us", tz="UTC")),
    ("additions", pyarrow.int64()), ("deletions", pyarrow.int64()), ("changed_files", pyarrow.int64()),
    ("split", pyarrow.string()), ("warm_up", pyarrow.bool_()), ("score", pyarrow.float64()),
    ("percentile", pyarrow.float64()), ("threshold", pyarrow.float64()), ("is_unusual", pyarrow.bool_()),
    ("reasons", pyarrow.list_(REASON)),
])


def write_verdicts(store: ObjectStore, model: AnomalyModel, dataset: Dataset, splits: NDArray[np.str_]) -> int:
    """Publish a verdict on every row of the dataset and return how many are unusual."""
    n_unusual = 0
    with tempfile.TemporaryDirectory(prefix="sentinel-verdicts-") as folder:
        path = Path(folder) / "verdicts.parquet"
        schema = SCHEMA.with_metadata({FEATURES_RUN: dataset.provenance.run_id.encode()})
        with pyarrow.parquet.ParquetWriter(path, schema, compression="zstd") as writer:
            for start in range(0, len(dataset), ROWS_AT_ONCE):
                rows = slice(start, start + ROWS_AT_ONCE)
                table = _to_table(model, dataset, splits, rows)
                n_unusual += sum(table["is_unusual"].to_pylist())
                writer.write_table(table.cast(schema))
        store.put_file(verdicts_name(model.version), path)
    return n_unusual


def judged_features_run(store: ObjectStore, model_version: str) -> str | None:
    """Return the id of the features run that a model's verdicts are on, or None where it has none."""
    try:
        content = store.get_bytes(verdicts_name(model_version))
        metadata = pyarrow.parquet.read_schema(BytesIO(content)).metadata or {}
    except (NotFoundError, pyarrow.ArrowException):
        return None
    return metadata[FEATURES_RUN].decode() if FEATURES_RUN in metadata else None


def _to_table(model: AnomalyModel, dataset: Dataset, splits: NDArray[np.str_], rows: slice) -> pyarrow.Table:
    facts = dataset.facts.slice(rows.start, rows.stop - rows.start)
    verdicts = make_verdicts(model, facts["repository"].to_pylist(), facts["number"].to_pylist(),
                             facts["warm_up"].to_pylist(), dataset.X[rows])
    columns = {name: facts[name] for name in facts.column_names}
    columns["split"] = pyarrow.array(splits[rows].tolist())
    for name in ("score", "percentile", "threshold", "is_unusual"):
        columns[name] = pyarrow.array([getattr(verdict, name) for verdict in verdicts])
    reasons = [[{field.name: getattr(reason, field.name) for field in REASON} for reason in verdict.reasons]
               for verdict in verdicts]
    columns["reasons"] = pyarrow.array(reasons, pyarrow.list_(REASON))
    return pyarrow.table({field.name: columns[field.name] for field in SCHEMA}).cast(SCHEMA)
