"""Write sentinel/features/usual_numbers.py: how often each quantity is reached across repositories.

    python benchmarks/usual_numbers.py FOLDER_OF_PULL_REQUESTS FOLDER_WITH_PATCHES > sentinel/features/usual_numbers.py

Each repository counts the same. Quantities of the added lines come from the second folder, all others from the first.
"""

import sys
import textwrap
from pathlib import Path

from features_speed import read_records

from sentinel.history import RepositoryHistory, events_of
from sentinel.history.counts import ALL
from sentinel.history.repository_history import SURPRISES


def main(arguments: list[str]) -> None:
    """Print the module."""
    plain, patched = (reached_in(Path(folder)) for folder in arguments)
    print('"""Of 10,000 changes elsewhere, how many reached bins 1, 2, …; written by benchmarks/usual_numbers.py."""\n')
    print("REACHED_OF_10_000: dict[str, tuple[int, ...]] = {")
    for feature in SURPRISES:
        counts = plain.get(feature.name) or patched.get(feature.name) or [0]
        while counts and not counts[-1]:
            counts.pop()
        numbers = "".join(f"{count}, " for count in counts).rstrip()
        print(f'    "{feature.name}": (')
        print(textwrap.fill(numbers, 110, initial_indent=" " * 8, subsequent_indent=" " * 8) if numbers else "", end="")
        print("\n    )," if numbers else "    ),")
    print("}")


def reached_in(folder: Path) -> dict[str, list[int]]:
    """Return, per surprise that the folder knows, the mean share of 10,000 at each bin from 1."""
    shares: dict[str, list[list[float]]] = {}
    for path in sorted(folder.glob("*.jsonl.gz")):
        history = RepositoryHistory("any/any")
        events = (event for record in read_records(path) for event in events_of(record))
        for event in sorted(events, key=lambda event: event.sort_key):
            history.observe(event)
        for feature, row in zip(SURPRISES, history.tails.by_level()[ALL], strict=True):
            if row[0]:
                shares.setdefault(feature.name, []).append([weight / row[0] for weight in row[1:]])
    return {name: [round(10_000 * sum(column) / len(column)) for column in zip(*rows, strict=True)]
            for name, rows in shares.items()}


if __name__ == "__main__":
    main(sys.argv[1:])
