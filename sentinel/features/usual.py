"""What is usual across repositories, for the first pull requests of a new one; made by benchmarks/usual_shares.py."""

USUAL_SHARES: dict[str, tuple[float, ...]] = {}
