"""Known incidents of a replayed history: named in a file, or planted in the simulated one."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sentinel.errors import DataUnusableError

REPOSITORY_COLUMNS = ("repository", "repo")
SIMULATED = "simulated:"


def read_incidents(path: Path) -> frozenset[str]:
    """Return OWNER/NAME#NUMBER and OWNER/NAME@SHA of a CSV's rows, in small letters; raises DataUnusableError."""
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    column = next((name for name in REPOSITORY_COLUMNS if rows and name in rows[0]), None)
    if column is None or not {"number", "sha"} & rows[0].keys():
        raise DataUnusableError(f"{path}: seen columns {', '.join(rows[0]) if rows else 'none'}, expected repository "
                                "and number or sha, with at least one row")
    names = {f"{row[column]}{mark}{row[name]}".lower() for row in rows
             for name, mark in (("number", "#"), ("sha", "@")) if row.get(name)}
    return frozenset(names)


def planted_incidents() -> frozenset[str]:
    """Return OWNER/NAME#NUMBER of what is planted in the simulated history."""
    from sentinel.sources.simulated import make_simulated_github

    repositories = make_simulated_github("").repositories.values()
    return frozenset(f"{one.name}#{number}".lower() for one in repositories for number in one.planted())


def known_incidents(source: str, path: Path | None) -> frozenset[str]:
    """Return what is known of a source: the file's, or the planted ones of the simulated history, or nothing."""
    if path is not None:
        return read_incidents(path)
    return planted_incidents() if source == SIMULATED else frozenset()


def mark_incidents(lines: Sequence[Mapping[str, Any]], known: frozenset[str]) -> NDArray[np.bool_]:
    """Tell of each line of a backtest whether it is a known incident; the commit decides where it is known."""
    return np.array([f"{line['repository']}@{line['sha']}".lower() in known
                     or f"{line['repository']}#{line['number']}".lower() in known for line in lines], dtype=bool)
