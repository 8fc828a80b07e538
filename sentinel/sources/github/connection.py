"""One connection to GitHub for all repositories of a run: its limits hold for all of them."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime
from typing import Any

from sentinel.errors import NotFoundError, UnavailableError
from sentinel.logs import get_logger
from sentinel.sources.github.access import AppKey
from sentinel.sources.github.client import GitHubClient, open_client
from sentinel.sources.github.limits import OverloadedError
from sentinel.sources.github.source import GitHubSource

TRIES_TO_LIST = 6


class GitHubConnection:
    """Opens repositories and lists those of an account."""

    def __init__(self, client: GitHubClient) -> None:
        """Ask over `client`; nothing is asked yet."""
        self._client = client
        self.counts = client.counts

    def open_source(self, repository: str, since: datetime | None = None) -> nullcontext[GitHubSource]:
        """Open OWNER/NAME, or only what changed there since a time."""
        return nullcontext(
            GitHubSource(self._client, [repository], f"github:{repository}", with_files=True, since=since))

    def list_repositories(self, owner: str) -> list[str]:
        """Return OWNER/NAME of all repositories of an organisation or a person that may have pull requests.

        Raises NotFoundError for an account that is not there, UnavailableError after several tries.
        """
        for failures in range(1, TRIES_TO_LIST + 1):
            try:
                found = self._list_once(owner)
            except OverloadedError as error:
                self._client.back_off(failures, error)
            else:
                get_logger().info("github.repositories_listed", owner=owner, repositories=len(found))
                return found
        raise UnavailableError(f"could not list the repositories of {owner} in {TRIES_TO_LIST} tries; try again later")

    def _list_once(self, owner: str) -> list[str]:
        what = f"the repositories of {owner}"
        try:
            items = list(self._client.get_list(f"/orgs/{owner}/repos?per_page=100&sort=full_name", what))
        except NotFoundError:  # a person, no organisation
            items = list(self._client.get_list(f"/users/{owner}/repos?per_page=100&sort=full_name", what))
        return [item["full_name"] for item in items if item.get("has_pull_requests", True)]


@contextmanager
def open_connection(settings: Any) -> Iterator[GitHubConnection]:
    """Connect with the access and the budget of the settings of data_fetch; log what was asked at the end."""
    app_key = None if settings.github_app_private_key is None else AppKey(
        settings.github_app_id, settings.github_app_private_key, settings.github_app_installation_id)
    with open_client(settings.github_api_url, settings.github_token, settings.github_budget_seconds,
                     app_key=app_key) as client:
        try:
            yield GitHubConnection(client)
        finally:
            counts = client.counts
            get_logger().info("github.asked", requests=counts.requests, points=counts.points,
                              points_left=counts.points_left, waits=counts.waits, failures=counts.failures)
