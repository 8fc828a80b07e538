"""The history of one repository: `features` reads what came before, `observe` adds."""

import math

from sentinel.features.catalogue import CATALOGUE
from sentinel.features.facts import EPOCH, Facts
from sentinel.features.feature import MOST_SURPRISE_NATS
from sentinel.features.situation import Situation
from sentinel.history.counts import Tail
from sentinel.history.event import Event
from sentinel.history.learn import land_pending, learn_merged, learn_opened, remember_pending
from sentinel.history.memory import Memory
from sentinel.history.recall import recall
from sentinel.history.stored import from_bytes, to_bytes
from sentinel.pull_request import PullRequest

WARM_UP = 50  # pull requests; below, a share of 2 % cannot be told
_SURPRISES = tuple(place for place, feature in enumerate(CATALOGUE) if feature.is_surprise)


class RepositoryHistory:
    """What is usual in `repository`: bounded memory, saved and loaded without loss."""

    def __init__(self, repository: str) -> None:
        """Begin with nothing known."""
        self.repository = repository
        self.n_opened = 0
        self.n_outcomes = 0
        self.memory = Memory()
        self.tails = {CATALOGUE[place].name: Tail(CATALOGUE[place].quantity_highest or 1.0) for place in _SURPRISES}
        self._last: tuple[PullRequest, Facts, Situation, list[float]] | None = None

    @property
    def is_warm(self) -> bool:
        """Tell whether enough was seen to say what is usual here."""
        return self.n_opened >= WARM_UP

    def features(self, pull_request: PullRequest) -> tuple[float, ...]:
        """Return one number per feature of the catalogue, NaN where absent; nothing is added to the history."""
        quantities = self._read(pull_request)[3]
        vector = list(quantities)
        for place in _SURPRISES:
            quantity = quantities[place]
            if quantity == quantity:
                nats = self.tails[CATALOGUE[place].name].surprise(quantity)
                vector[place] = nats if nats < MOST_SURPRISE_NATS else MOST_SURPRISE_NATS
        return tuple(vector)

    def observe(self, event: Event) -> None:
        """Add one event; events come in the order of their `sort_key`."""
        at = (event.at - EPOCH).total_seconds()
        if event.kind == "opened":
            self._observe_opened(event.pull_request)
        else:
            self.n_outcomes += 1
            self.memory.pending.clear()
            if event.kind == "merged":
                learn_merged(self.memory, Facts(event.pull_request))
        if not self.n_outcomes:
            land_pending(self.memory, at)
        self._last = None

    def to_bytes(self) -> bytes:
        """Return the history as a compact file."""
        return to_bytes(self)

    @classmethod
    def from_bytes(cls, content: bytes) -> "RepositoryHistory":
        """Read what `to_bytes` wrote; raises CorruptFileError for anything else."""
        history = cls("")
        from_bytes(history, content)
        return history

    def _observe_opened(self, pull_request: PullRequest) -> None:
        _, facts, situation, quantities = self._read(pull_request)
        for place in _SURPRISES:
            if not math.isnan(quantities[place]):
                self.tails[CATALOGUE[place].name].add(quantities[place])
        learn_opened(self.memory, facts, int(situation.undone > 0))
        if not self.n_outcomes:
            remember_pending(self.memory, facts)
        self.n_opened += 1

    def _read(self, pull_request: PullRequest) -> tuple[PullRequest, Facts, Situation, list[float]]:
        """Read a pull request once for `features` and the `observe` that follows it."""
        if self._last is None or self._last[0] is not pull_request:
            facts = Facts(pull_request)
            situation = recall(self.memory, facts)
            quantities = [float(feature.compute(situation)) for feature in CATALOGUE]
            self._last = pull_request, facts, situation, quantities
        return self._last
