"""The history of one repository: `features` reads what came before, `observe` adds."""

from operator import itemgetter

from sentinel.features.catalogue import CATALOGUE, compute_values
from sentinel.features.facts import EPOCH, Facts
from sentinel.features.feature import MOST_SURPRISE_NATS
from sentinel.features.situation import Situation
from sentinel.features.usual import usual_shares
from sentinel.history.counts import Tails
from sentinel.history.event import Event
from sentinel.history.learn import land_pending, learn_merged, learn_opened, remember_pending
from sentinel.history.memory import Memory
from sentinel.history.recall import recall
from sentinel.history.stored import from_bytes, to_bytes
from sentinel.pull_request import PullRequest

WARM_UP = 50  # pull requests; below, a share of 2 % cannot be told
SURPRISES = tuple(feature for feature in CATALOGUE if feature.quantity_highest is not None)
_PLACES = tuple(place for place, feature in enumerate(CATALOGUE) if feature.quantity_highest is not None)
_QUANTITIES_OF = itemgetter(*_PLACES)
# Of all values followed by all surprises, the surprise in the place of its quantity.
_VECTOR_OF = itemgetter(*(len(CATALOGUE) + SURPRISES.index(feature) if feature in SURPRISES else place
                          for place, feature in enumerate(CATALOGUE)))


class RepositoryHistory:
    """What is usual in `repository`: bounded memory, saved and loaded without loss."""

    def __init__(self, repository: str) -> None:
        """Begin with nothing known; the first vectors lean on what is usual across repositories."""
        self.repository = repository
        self.n_opened = 0
        self.n_outcomes = 0
        self.memory = Memory()
        self.tails = Tails([feature.quantity_highest or 1.0 for feature in SURPRISES],
                           [usual_shares(feature.name, Tails.N_BINS) for feature in SURPRISES])
        self._last: tuple[PullRequest, Situation, list[float]] | None = None

    @property
    def is_warm(self) -> bool:
        """Tell whether enough was seen to say what is usual here."""
        return self.n_opened >= WARM_UP

    def features(self, pull_request: PullRequest) -> tuple[float, ...]:
        """Return one number per feature of the catalogue, NaN where absent; nothing is added to the history."""
        _, situation, values = self._read(pull_request)
        surprises = self.tails.surprises(situation.level, _QUANTITIES_OF(values), MOST_SURPRISE_NATS)
        vector: tuple[float, ...] = _VECTOR_OF(values + surprises)
        return vector

    def observe(self, event: Event) -> None:
        """Add one event; events come in the order of their `sort_key`."""
        at = (event.at - EPOCH).total_seconds()
        if event.kind == "opened":
            self._observe_opened(event.pull_request)
        elif not self.n_outcomes:
            self.memory.pending.clear()
        if event.kind != "opened":
            self.n_outcomes += 1
        if event.kind == "merged":
            learn_merged(self.memory, Facts(event.pull_request), at)
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
        _, situation, values = self._read(pull_request)
        self.tails.add(situation.level, _QUANTITIES_OF(values))
        learn_opened(self.memory, situation.facts, situation)
        if not self.n_outcomes:
            remember_pending(self.memory, situation.facts)
        self.n_opened += 1

    def _read(self, pull_request: PullRequest) -> tuple[PullRequest, Situation, list[float]]:
        """Read a pull request once, for `features` and for the `observe` that follows it."""
        if self._last is None or self._last[0] is not pull_request:
            situation = recall(self.memory, Facts(pull_request))
            self._last = pull_request, situation, compute_values(situation)
        return self._last
