"""What is usual across repositories: on it the first pull requests of a new one lean."""

from functools import cache

from sentinel.features.usual_numbers import REACHED_OF_10_000


@cache
def usual_shares(name: str, n_bins: int) -> tuple[float, ...]:
    """Return, for a surprise, the share of changes elsewhere whose quantity reached each bin, shape (n_bins,)."""
    reached = REACHED_OF_10_000.get(name, ())
    later = [count / 10_000 for count in reached[:n_bins - 1]]
    return 1.0, *later, *[0.0] * (n_bins - 1 - len(later))
