"""Where verdicts lie in the object store, and which of them are the champion's."""

from sentinel.errors import NotFoundError
from sentinel.object_store import ObjectStore

VERDICTS, ENDING = "verdicts/", ".parquet"
CHAMPION_POINTER = f"{VERDICTS}champion"  # holds the champion's model version


def verdicts_name(model_version: str) -> str:
    """Return the name of a model's verdicts."""
    return f"{VERDICTS}{model_version}{ENDING}"


def versions_with_verdicts(store: ObjectStore) -> list[str]:
    """List the model versions that have verdicts."""
    return [name.removeprefix(VERDICTS).removesuffix(ENDING) for name in store.names(VERDICTS)
            if name.endswith(ENDING)]


def point_to_champion(store: ObjectStore, model_version: str) -> None:
    """Say whose verdicts people see; whoever moves the alias `champion` calls this right after."""
    store.put_bytes(CHAMPION_POINTER, model_version.encode())


def champion_version(store: ObjectStore) -> str | None:
    """Return the model version whose verdicts people see, or None where nobody has said it yet."""
    try:
        return store.get_bytes(CHAMPION_POINTER).decode().strip() or None
    except NotFoundError:
        return None
