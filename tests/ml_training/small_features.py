"""A small made-up run of features in a store, and a model trained on such rows."""

import hashlib
import io
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow
import pyarrow.parquet
from numpy.typing import NDArray

from sentinel.features import CATALOGUE, FEATURE_NAMES, feature_fingerprint
from sentinel.object_store import ObjectStore
from sentinel.provenance import Provenance, publish_provenance

RUN_ID = "20260101T000000Z-0000abcd"


def make_rows(n_rows: int, seed: int = 0) -> NDArray[np.float64]:
    """Draw features as the catalogue describes them: surprises of nothing unusual, others in their range."""
    generator = np.random.default_rng(seed)
    columns = [np.minimum(generator.exponential(1.0, n_rows), 8.0) if feature.is_surprise
               else feature.lowest + (min(feature.highest, 10) - feature.lowest) * generator.beta(2, 5, n_rows)
               for feature in CATALOGUE]
    X = np.column_stack(columns)
    X[generator.random(X.shape) < 0.02] = np.nan
    return X


def publish_features(store: ObjectStore, X: NDArray[np.float64], repositories: tuple[str, ...] = ("octo/one",),
                     run_id: str = RUN_ID, **changes: object) -> Provenance:
    """Write X as the features of `repositories`, row by row in turn, with a provenance; `changes` go into it."""
    n_rows = len(X)
    names = [repositories[row % len(repositories)] for row in range(n_rows)]
    start = datetime(2026, 1, 1, tzinfo=UTC)
    table = pyarrow.table({
        "repository": names, "number": list(range(1, n_rows + 1)), "title": [f"Change {row}" for row in range(n_rows)],
        "author": ["ada"] * n_rows, "author_kind": ["User"] * n_rows,
        "opened_at": pyarrow.array([start + timedelta(hours=row) for row in range(n_rows)],
                                   pyarrow.timestamp("us", tz="UTC")),
        "additions": [3] * n_rows, "deletions": [1] * n_rows, "changed_files": [1] * n_rows,
        "warm_up": [row < 5 for row in range(n_rows)],
        **{name: X[:, column] for column, name in enumerate(FEATURE_NAMES)},
    })
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(table, buffer)
    name = f"features/{run_id}/part-0.parquet"
    store.put_bytes(name, buffer.getvalue())
    fields = {
        "run_id": run_id, "made_at": "2026-01-01T00:00:00Z", "code_version": "test",
        "feature_fingerprint": feature_fingerprint(), "feature_names": FEATURE_NAMES, "input_snapshot": "none",
        "n_pull_requests": n_rows, "n_rejected": 0, "repositories": {name: names.count(name) for name in repositories},
        "opened_from": None, "opened_until": None,
        "files": {name: hashlib.sha256(buffer.getvalue()).hexdigest()},
    }
    provenance = Provenance(**{**fields, **changes})
    publish_provenance(store, provenance)
    return provenance
