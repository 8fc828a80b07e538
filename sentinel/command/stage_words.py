"""What a stage did, in words, from the facts of its closing line."""

from collections.abc import Callable, Mapping
from typing import Any

from sentinel.command.safe_text import visible
from sentinel.command.stage_status import StageStatus, State

Facts = Mapping[str, Any]


def words(status: StageStatus) -> str:
    """Say how far a running stage is, or what a finished one did."""
    if status.state is State.RUNNING and status.done:
        of_total = f" of {status.total:,}" if status.total else ""
        return f"{status.done:,}{of_total} {visible(status.unit.replace('_', ' '), 40)}"
    if status.state is State.RUNNING:
        return "starting"
    if status.state is State.DONE:
        return closing_words(status.name, status.facts)
    return "failed" if status.state is State.FAILED else ""


def closing_words(stage: str, facts: Facts) -> str:
    """Say what the closing line says; facts that are not known here are named as they are."""
    try:
        return visible(SENTENCES[stage](facts))
    except (KeyError, TypeError, ValueError):
        return visible(" · ".join(f"{name.replace('_', ' ')} {_shown(value)}" for name, value in facts.items()
                                  if isinstance(value, (str, int, float))))


def _fetched(facts: Facts) -> str:
    rejected = f" · {facts['rejected']:,} rejected" if facts["rejected"] else ""
    if facts["wrote_nothing"]:
        return f"nothing new, nothing written · {facts['read']:,} read{rejected}"
    return f"{facts['new']:,} new · {facts['changed']:,} changed · {facts['unchanged']:,} unchanged{rejected}"


def _preprocessed(facts: Facts) -> str:
    if facts["outcome"] != "published":
        return f"nothing to do · features of {facts['n_pull_requests']:,} are up to date"
    repositories = "1 repository" if facts["n_repositories"] == 1 else f"{facts['n_repositories']:,} repositories"
    rejected = f" · {facts['n_rejected']:,} rejected" if facts["n_rejected"] else ""
    return f"features of {facts['n_pull_requests']:,} in {repositories}{rejected}"


def _trained(facts: Facts) -> str:
    if not facts["trained"]:
        return f"nothing to do · {facts['reason']}"
    return f"{facts['alias']} of {facts['n_rows']:,} · {facts['n_unusual']:,} flagged"


def _replayed(facts: Facts) -> str:
    return f"{facts['flagged']:,} flagged of {facts['read']:,}"


SENTENCES: Mapping[str, Callable[[Facts], str]] = {
    "data_fetch": _fetched, "spark_preprocess": _preprocessed, "ml_training": _trained, "backtest": _replayed,
}


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
