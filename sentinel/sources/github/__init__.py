"""Pull requests from GitHub by its GraphQL API: a hundred in one request, further only what changed."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from pydantic import SecretStr

from sentinel.logs import get_logger
from sentinel.sources.github.client import Clock, open_client
from sentinel.sources.github.source import GitHubSource


@contextmanager
def open_github_at(api_url: str, token: SecretStr | None, budget_seconds: float, repositories: Sequence[str],
                   uri: str, *, clock: Clock | None = None, with_files: bool = True,
                   since: datetime | None = None) -> Iterator[GitHubSource]:
    """Open repositories of the GitHub at `api_url`; log what was asked of it at the end."""
    with open_client(api_url, token, budget_seconds, clock) as client:
        try:
            yield GitHubSource(client, repositories, uri, with_files=with_files, since=since)
        finally:
            counts = client.counts
            get_logger().info("github.asked", source=uri, requests=counts.requests, points=counts.points,
                              points_left=counts.points_left, waits=counts.waits, failures=counts.failures)
