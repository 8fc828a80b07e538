"""The champion's verdicts in the object store that the environment names."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sentinel.command.stages import OBJECT_STORE

if TYPE_CHECKING:
    from sentinel.command.verdicts import Verdicts


def champions_verdicts(environment: Mapping[str, str]) -> "Verdicts":
    """Open the object store and read the champion's verdicts; the libraries come in only here."""
    from sentinel.command.verdicts import read_champions_verdicts
    from sentinel.object_store import open_object_store
    from sentinel.settings import ObjectStoreSettings, load_settings

    settings = load_settings(ObjectStoreSettings, object_store_uri=environment[OBJECT_STORE])
    return read_champions_verdicts(open_object_store(settings))
