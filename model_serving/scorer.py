"""The champion in memory, with its histories; and the one place where it is swapped for a newer one."""

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
from gevent import get_hub
from gevent.lock import RLock
from numpy.typing import NDArray

from model_serving.champion_copy import MODEL, QUANTILES, VERDICTS, Attempt, ChampionFacts, ChampionFolder
from model_serving.problems import not_ready
from model_serving.verdict_table import VerdictTable
from sentinel.errors import CorruptFileError, DataUnusableError, FingerprintError, SentinelError
from sentinel.features import FEATURE_NAMES, feature_fingerprint
from sentinel.features.probes import probes
from sentinel.history import RepositoryHistory
from sentinel.logs import get_logger
from sentinel.model import AnomalyModel
from sentinel.pull_request import PullRequest
from sentinel.verdict import Verdict, make_verdicts

UNKNOWN_REPOSITORY = "This repository is unknown to the model: compared with all repositories together."
WARM_UP = "This repository's history is still too short to say what is usual here."
VERSION_TIME = re.compile(r"\d{8}T\d{6}Z(?=-)")
FILES_UNKNOWN = "The changed files are unknown: send them under `files` for a fuller verdict."


@dataclass(frozen=True, slots=True)
class Champion:
    """One model with the histories that belong to it; everything that an answer depends on."""

    facts: ChampionFacts
    model_file: bytes  # to open the model anew when the copy may be gone from the disk
    model: AnomalyModel
    histories: Mapping[str, RepositoryHistory]  # by repository in lower case, as GitHub compares names
    verdicts: VerdictTable | None
    quantiles: NDArray[np.float32]  # (n_repositories, n_features, n_quantiles), for drawing
    nothing_known: RepositoryHistory = field(default_factory=partial(RepositoryHistory, ""))  # of other repositories

    @property
    def trained_at(self) -> datetime | None:
        """Return when the model was trained, with which ml_training begins its version; None for others."""
        stamp = VERSION_TIME.match(self.model.version)
        return datetime.strptime(stamp[0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) if stamp else None

    def score(self, pull_requests: Sequence[PullRequest]) -> list[Verdict]:
        """Score each as if it were opened now; no history changes."""
        histories = [self.histories.get(one.repository.lower(), self.nothing_known) for one in pull_requests]
        X = np.array([history.features(one) for history, one in zip(histories, pull_requests)], dtype=np.float64)
        names = [history.repository or one.repository for history, one in zip(histories, pull_requests)]
        return make_verdicts(self.model, names, [one.number for one in pull_requests],
                             [not history.is_warm for history in histories], X)

    def notes(self, pull_request: PullRequest) -> list[str]:
        """Say what limits a verdict, in sentences."""
        history = self.histories.get(pull_request.repository.lower())
        notes = [UNKNOWN_REPOSITORY] if history is None else [] if history.is_warm else [WARM_UP]
        return notes if pull_request.files is not None else [*notes, FILES_UNKNOWN]

    def usual_values(self, repository: str, feature: str) -> NDArray[np.float32] | None:
        """Return ascending quantiles of a feature in `repository`, or None where none were ever seen."""
        if repository not in self.facts.histories or feature not in self.facts.feature_names:
            return None
        repositories, features = list(self.facts.histories), self.facts.feature_names
        quantiles = self.quantiles[repositories.index(repository), features.index(feature)]
        return None if np.isnan(quantiles).any() else quantiles


def load_champion(folder: ChampionFolder) -> Champion:
    """Load and try the copy in use; raises NotFoundError, CorruptFileError or FingerprintError."""
    facts = folder.facts()
    model_file = folder.read(facts, MODEL)
    model = AnomalyModel.from_bytes(model_file)
    expected = feature_fingerprint()
    model.check_fingerprint(expected)
    if facts.feature_fingerprint != expected or facts.feature_names != FEATURE_NAMES:
        raise FingerprintError(f"histories of {facts.features_run_id}: features of fingerprint "
                               f"{facts.feature_fingerprint}, but this code computes {expected}; "
                               "run spark_preprocess and ml_training again")
    histories = {}
    for repository, file in facts.histories.items():
        histories[repository.lower()] = RepositoryHistory.from_bytes(folder.read(facts, file))
    verdicts = VerdictTable.from_bytes(folder.read(facts, VERDICTS)) if VERDICTS in facts.files else None
    quantiles = _read_quantiles(folder.read(facts, QUANTILES))
    champion = Champion(facts, model_file, model, histories, verdicts, quantiles)
    check_probes(champion)
    return champion


def check_probes(champion: Champion) -> None:
    """Score the built-in records; raises DataUnusableError unless each gets a finite score."""
    verdicts = champion.score([record.pull_request for record in probes()])
    n_bad = sum(not (np.isfinite(verdict.score) and 0 <= verdict.percentile <= 100) for verdict in verdicts)
    if n_bad:
        raise DataUnusableError(f"model {champion.model.version}: {n_bad} of {len(verdicts)} probe records get "
                                "no finite score; train it again")


class Scorer:
    """Hold the champion in use; a newer one takes over only after it was loaded and tried."""

    def __init__(self, folder: Path) -> None:
        """Begin without a champion."""
        self.folder = ChampionFolder(folder)
        self.reason = "no champion was loaded yet"  # why there is none, or why the newer one was refused
        self._champion: Champion | None = None
        self._seen: str | None = None  # the last copy that was tried, good or bad
        self._loading = RLock()  # requests and the watch may look for the same copy at once

    @property
    def champion(self) -> Champion:
        """Return the champion; raises a 503 with the reason where there is none."""
        champion = self.find_champion()
        if champion is None:
            raise not_ready(self.why_none())
        return champion

    def find_champion(self) -> Champion | None:
        """Return the champion; a worker without one looks for a copy first.

        So all workers of a machine are ready as soon as one of them has copied a champion, whoever is asked.
        """
        if self._champion is None:
            self.load_newer()
        return self._champion

    def why_none(self) -> str:
        """Say why there is no champion: what MLflow answered, or what is wrong with the copy."""
        attempt = self.last_attempt()
        return self.reason if attempt is None or attempt.is_good else attempt.text

    @property
    def has_champion(self) -> bool:
        """Tell whether a champion was loaded, without looking for one."""
        return self._champion is not None

    @property
    def copy_in_use(self) -> str | None:
        """Return the name of the copy that answers, without looking for one."""
        return None if self._champion is None else self._champion.facts.name

    def load(self) -> bool:
        """Try the copy in use; whatever is wrong with it, the champion of before stays. Tell whether it took over."""
        try:
            champion = load_champion(self.folder)
        except SentinelError as error:
            self._refuse(str(error))
            return False
        self._champion, self._seen, self.reason = champion, champion.facts.name, ""
        get_logger().info("model_serving.champion_loaded", copy=champion.facts.name,
                          model_version=champion.model.version, n_repositories=len(champion.histories))
        return True

    def load_newer(self) -> bool:
        """Load the copy in use if it was not tried before; tell whether it took over.

        It is loaded in a thread of the system's, so that requests go on meanwhile.
        """
        with self._loading:
            name = self.folder.current_name()
            return name is not None and name != self._seen and bool(get_hub().threadpool.apply(self.load))

    def reopen_model(self) -> None:
        """Open the model's session anew; a session does not survive a fork.

        The disk may hold only newer copies by now, so that nothing is read from there.
        """
        if self._champion is not None:
            self._champion = replace(self._champion, model=AnomalyModel.from_bytes(self._champion.model_file))

    def last_attempt(self) -> Attempt | None:
        """Return what MLflow last answered to any worker of this machine."""
        return self.folder.last_attempt()

    def _refuse(self, reason: str) -> None:
        self.reason = reason
        self._seen = self.folder.current_name()
        get_logger().error("model_serving.champion_refused", text=reason, copy=self._seen,
                           kept=self._champion.facts.name if self._champion else None)


def _read_quantiles(content: bytes) -> NDArray[np.float32]:
    try:
        quantiles: NDArray[np.float32] = np.load(io.BytesIO(content), allow_pickle=False)
    except ValueError as error:
        raise CorruptFileError(f"{QUANTILES}: {error}; delete the folder, it will be copied again") from error
    return quantiles
