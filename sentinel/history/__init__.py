"""What is usual in one repository so far, folded over events in order of time."""

from sentinel.history.event import Event, events_of
from sentinel.history.repository_history import RepositoryHistory

__all__ = ["Event", "RepositoryHistory", "events_of"]
