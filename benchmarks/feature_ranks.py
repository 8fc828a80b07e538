"""Rank known incidents among the earlier changes of their repositories, feature by feature, forward in time.

    python benchmarks/feature_ranks.py FOLDER_WITH_PATCHES > docs/feature-ranks.csv
    python benchmarks/feature_ranks.py FOLDER --scores OUT    (score files of `rarity_score` for the judge)

FOLDER holds incidents.csv and changes-OWNER__NAME.jsonl.gz in order of landing. Records are read as they stood at
opening; numbers only are written, no text of the data.
"""

import csv
import gzip
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sentinel.features import FEATURE_NAMES
from sentinel.features.score import rarity_score
from sentinel.history import Event, RepositoryHistory
from sentinel.pull_request import parse_json_line, parse_pull_request

WINDOW = 1_000
LATER_FIELDS = ("merged_at", "closed_at", "merge_commit_sha", "head", "state", "merged", "merged_by")
Vector = tuple[float, ...]


def main(arguments: list[str]) -> None:
    """Write the ranks to standard output, or score files."""
    folder = Path(arguments[0])
    with (folder / "incidents.csv").open(newline="") as lines:
        incidents = [row for row in csv.DictReader(lines) if row["role"] == "primary"]
    vectors = {name: list(vectors_of(folder / name)) for name in dict.fromkeys(row["record_file"] for row in incidents)}
    if arguments[1:2] == ["--scores"]:
        write_scores(Path(arguments[2]), vectors)
    else:
        write_ranks(incidents, vectors)


def vectors_of(path: Path) -> Iterator[Vector]:
    """Yield one vector per record, in the order of the file, each from earlier records only."""
    history = RepositoryHistory("any/any")
    with gzip.open(path) as lines:
        for place, line in enumerate(lines):
            opened = parse_pull_request(as_opened(parse_json_line(line)), number=place + 1).pull_request
            yield history.features(opened)
            history.observe(Event("opened", opened.opened_at, opened))


def as_opened(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record without what was known only later."""
    return {field: value for field, value in record.items() if field not in LATER_FIELDS}


def write_ranks(incidents: list[dict[str, str]], vectors: dict[str, list[Vector]]) -> None:
    """Write one line per feature and one for the rarity score."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["feature", *(row["incident_id"] for row in incidents), "≥ 99", "≥ 95"])
    columns = [(name, lambda vector, place=place: vector[place]) for place, name in enumerate(FEATURE_NAMES)]
    for name, read in [*columns, ("rarity_score", rarity_score)]:
        ranks = []
        for row in incidents:
            stream, place = vectors[row["record_file"]], int(row["n_before"])
            values = [read(vector) for vector in stream[max(0, place - WINDOW):place + 1]]
            ranks.append(percentile(values[-1], values[:-1]))
        shown = ["" if math.isnan(rank) else f"{rank:.0f}" for rank in ranks]
        writer.writerow([name, *shown, sum(rank >= 99 for rank in ranks), sum(rank >= 95 for rank in ranks)])


def percentile(value: float, others: list[float]) -> float:
    """Return the share of the others below the value in %, ties counted half; NaN where it is absent."""
    known = [other for other in others if not math.isnan(other)]
    if math.isnan(value) or not known:
        return math.nan
    below, equal = sum(other < value for other in known), sum(other == value for other in known)
    return 100 * (below + equal / 2) / len(known)


def write_scores(folder: Path, vectors: dict[str, list[Vector]]) -> None:
    """Write one file of scores per stream."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, stream in vectors.items():
        lines = (json.dumps({"index": place, "score": rarity_score(vector)}) for place, vector in enumerate(stream))
        stem = name.replace("changes-", "scores-").removesuffix(".gz")
        (folder / stem).write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
