"""The features of one pull request among those of its repository, read from the newest run."""

from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import pyarrow
import pyarrow.parquet
from numpy.typing import NDArray

from sentinel.errors import CorruptFileError, NotFoundError
from sentinel.object_store import ObjectStore
from sentinel.provenance import Provenance, find_latest_run

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class StoredVector:
    """One pull request's features, and those of the pull requests of its repository that it is compared with."""

    repository: str
    name: str  # OWNER/NAME#N, as it is shown
    title: str | None
    warm_up: bool
    compared_with: str  # in words, as the end of a sentence
    values: Mapping[str, float]  # NaN is absent
    columns: Mapping[str, Floats]  # (n_pull_requests,) each, this one among them


def read_vector(store: ObjectStore, repository: str, number: int) -> StoredVector:
    """Find a pull request in the newest features; raises NotFoundError or CorruptFileError."""
    provenance = find_latest_run(store)
    known = {name.lower(): name for name in provenance.repositories}
    name = known.get(repository.lower())
    if name is None:
        raise NotFoundError(f"no features of {repository}; there are some of: "
                            f"{', '.join(sorted(known.values())[:20]) or 'nothing'}")
    table = _rows_of(store, provenance, name)
    numbers = table["number"].to_numpy()
    places = np.flatnonzero(numbers == number)
    if not len(places):
        among = f", from #{numbers.min()} to #{numbers.max()}" if len(numbers) else ""
        raise NotFoundError(f"no features of {name}#{number}; {name} has {len(numbers):,}{among}")
    place = int(places[0])
    columns = {feature: table[feature].to_numpy() for feature in provenance.feature_names}
    return StoredVector(
        name, f"{name}#{number}", table["title"][place].as_py(), table["warm_up"][place].as_py(),
        f"{len(table):,} pull requests here, features of run {provenance.run_id}",
        {feature: float(column[place]) for feature, column in columns.items()}, columns)


def _rows_of(store: ObjectStore, provenance: Provenance, repository: str) -> pyarrow.Table:
    columns = ["number", "title", "warm_up", *provenance.feature_names]
    tables = []
    for name in provenance.parts:
        try:
            tables.append(pyarrow.parquet.read_table(
                BytesIO(store.get_bytes(name)), columns=columns, filters=[("repository", "==", repository)]))
        except (pyarrow.ArrowException, KeyError) as error:
            raise CorruptFileError(f"{store.uri}/{name}: no parquet of features ({error}); "
                                   "do `sentinel run` again") from error
    return pyarrow.concat_tables(tables)
