"""Show the registered models and move the aliases, with who and why recorded."""

from collections.abc import Mapping
from datetime import datetime

from ml_training.registry import CHALLENGER, CHAMPION, RegisteredModel, Registry
from sentinel.errors import NotFoundError
from sentinel.object_store import ObjectStore
from sentinel.verdict_files import point_to_champion

SHOWN_TAGS = ("model_version", "features_run_id", "gate", "promoted_by", "promoted_because",
              "promoted_at")
PROMOTED_BY = "promoted_by"  # tag of a version that is or was a champion
PREVIOUS = "previous_champion"  # tag of a champion: the number that it replaced


def describe_models(registry: Registry) -> list[Mapping[str, str]]:
    """Return one row per version, the newest first."""
    return [{"number": model.number, "aliases": ", ".join(model.aliases),
             **{name: model.tags.get(name, "") for name in SHOWN_TAGS}} for model in registry.versions()]


def promote(registry: Registry, store: ObjectStore, number: str, who: str, why: str,
            now: datetime) -> Mapping[str, str]:
    """Make a version the champion; what it replaces is remembered. Raises NotFoundError."""
    wanted, before = _version(registry, number), registry.find(CHAMPION)
    if before is not None and before.number == number:
        point_to_champion(store, wanted.model_version)  # who was stopped half-way mends it by doing it again
        return {"champion": number, "moved": "no, it was the champion already"}
    crown(registry, store, wanted, before, who, why, now)
    return {"champion": number, "before": before.number if before else "none", "moved": "yes"}


def roll_back(registry: Registry, store: ObjectStore, who: str, why: str, now: datetime) -> Mapping[str, str]:
    """Make the champion's predecessor the champion again. Raises NotFoundError where there is none."""
    champion = registry.find(CHAMPION)
    number = champion.tags.get(PREVIOUS) if champion else None
    if champion is None or not number:
        raise NotFoundError(f"{registry.model_name}: the champion replaced no other model; choose one with promote")
    predecessor = _version(registry, number)
    # The alias first: when this is stopped half-way, the old champion serves and only a note is missing.
    registry.set_alias(CHAMPION, number)
    point_to_champion(store, predecessor.model_version)
    registry.tag_version(number, _note(who, f"rolled back from {champion.number}: {why}", now))
    return {"champion": number, "before": champion.number, "moved": "yes"}


def crown(registry: Registry, store: ObjectStore, model: RegisteredModel, before: RegisteredModel | None, who: str,
          why: str, now: datetime) -> None:
    """Write the note on the version, move the alias, which the registry does in one step, then show its verdicts."""
    note = _note(who, why, now) | ({PREVIOUS: before.number} if before else {})
    registry.tag_version(model.number, note)
    registry.set_alias(CHAMPION, model.number)
    point_to_champion(store, model.model_version)
    if CHALLENGER in model.aliases:
        registry.remove_alias(CHALLENGER)


def _version(registry: Registry, number: str) -> RegisteredModel:
    versions = registry.versions()
    found = next((model for model in versions if model.number == number), None)
    if found is None:
        known = ", ".join(model.number for model in versions) or "none"
        raise NotFoundError(f"{registry.model_name}: no version {number}; there are: {known}")
    return found


def _note(who: str, why: str, now: datetime) -> dict[str, str]:
    return {PROMOTED_BY: who, "promoted_because": why, "promoted_at": now.isoformat(timespec="seconds")}
