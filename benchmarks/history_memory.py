"""Show that the history of a large repository stays small: 500,000 pull requests of 50,000 authors.

    python benchmarks/history_memory.py [N_PULL_REQUESTS] [N_AUTHORS]
"""

import random
import resource
import sys
import time
import tracemalloc
from datetime import UTC, datetime, timedelta

from sentinel.history import Event, RepositoryHistory
from sentinel.pull_request import ChangedFile, PullRequest

SEED = 1
N_DIRECTORIES, N_FILES_A_DIRECTORY = 4_000, 40
LIMIT_MEGABYTES = 200


def main(arguments: list[str]) -> None:
    """Fold made-up pull requests and print the memory that the history holds."""
    n_pull_requests, n_authors = (int(argument) for argument in arguments or ("500000", "50000"))
    chance, history = random.Random(SEED), RepositoryHistory("made/up")
    before, started = resident_megabytes(), time.monotonic()
    opened_at = datetime(2012, 1, 1, tzinfo=UTC)
    for number in range(1, n_pull_requests + 1):
        opened_at += timedelta(minutes=chance.expovariate(1 / 15))
        pull_request = made_up(number, opened_at, n_authors, chance)
        history.observe(Event("opened", opened_at, pull_request))
        history.observe(Event("merged", opened_at, pull_request))
        if number % 50_000 == 0:
            print(f"{number:,} pull requests: {resident_megabytes() - before:.0f} MB more resident, "
                  f"{len(history.memory.authors):,} authors, {time.monotonic() - started:.0f} s", flush=True)
    content = history.to_bytes()
    del history
    tracemalloc.start()
    loaded = RepositoryHistory.from_bytes(content)
    held = tracemalloc.get_traced_memory()[0] / 1e6
    print(f"file {len(content) / 1e6:.1f} MB; the loaded history holds {held:.0f} MB, limit {LIMIT_MEGABYTES}")
    sys.exit(held > LIMIT_MEGABYTES or loaded.n_opened != n_pull_requests)


def made_up(number: int, opened_at: datetime, n_authors: int, chance: random.Random) -> PullRequest:
    """Return a pull request of a few files; some authors write most of them, all write some."""
    author = number % n_authors if chance.random() < 0.3 else int(n_authors * chance.random() ** 4)
    home = author * 37 % N_DIRECTORIES
    files = tuple(
        ChangedFile(f"module{home % 50}/part{(home + chance.randrange(6)) % N_DIRECTORIES}/"
                    f"file{chance.randrange(N_FILES_A_DIRECTORY)}.py", additions=chance.randrange(60),
                    patch=f"@@ -1 +1 @@\n+call_{chance.randrange(200_000)}(word{chance.randrange(200_000)})")
        for _ in range(1 + chance.randrange(5))
    )
    return PullRequest("made/up", number, f"Change part {chance.randrange(9_999)}", opened_at, files=files,
                       author=f"author-{author}", additions=sum(file.additions for file in files),
                       changed_files=len(files))


def resident_megabytes() -> float:
    """Return the largest memory that this process held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main(sys.argv[1:])
