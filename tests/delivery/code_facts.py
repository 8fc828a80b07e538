"""What the manifests have to agree with, read from the code of the stages."""

import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from data_fetch.settings import DataFetchSettings
from delivery.policies_seen import Code, Seen, VaultAccess, Variables
from delivery.render import ENVIRONMENTS, Rendering, render
from delivery.vault_setup import read_accesses
from ml_training.settings import MlTrainingSettings
from model_serving.app import create_app
from model_serving.scorer import Scorer
from model_serving.settings import ServingSettings
from sentinel import errors
from sentinel.settings import Settings, secret_names, variable_of
from sentinel.stage import BUG
from sentinel.vault_settings import VaultSettings
from spark_preprocess.settings import SparkPreprocessSettings

ROOT = Path(__file__).parents[2]
SETTINGS: dict[str, tuple[type[Settings], ...]] = {
    "data-fetch": (DataFetchSettings,), "spark-preprocess": (SparkPreprocessSettings,),
    "ml-training": (MlTrainingSettings,), "model-serving": (ServingSettings,),
}
# In a process of its own: locust patches the sockets of whichever imports it.
LOAD_VARIABLES = """
from model_serving.locustfile import LoadSettings
from sentinel.settings import secret_names, variable_of
print(*(variable_of(LoadSettings, name) for name in LoadSettings.model_fields.keys() - set(secret_names(LoadSettings))))
"""
READS = re.compile(r'path "([^"]+)" \{\s*capabilities = \["read"\]')


@cache
def renderings() -> dict[str, Rendering]:
    """Return both environments, rendered once."""
    return {environment: render(ROOT, environment) for environment in ENVIRONMENTS}


@cache
def code() -> Code:
    """Read what the code says."""
    families = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, errors.SentinelError)]
    temporary = frozenset({errors.UnavailableError.exit_code})
    return Code(
        variables={stage: _variables(stage, *kinds, VaultSettings) for stage, kinds in SETTINGS.items()},
        paths=_paths(),
        final_codes=frozenset({BUG, *(family.exit_code for family in families)}) - temporary,
        temporary_codes=temporary,
        vault={name: access for environment in ENVIRONMENTS for name, access in _accesses(environment)},
    )


def seen(environment: str) -> Seen:
    """Return one environment, ready to be judged."""
    twin, = set(ENVIRONMENTS) - {environment}
    return Seen(renderings()[environment], renderings()[twin], code())


def _variables(stage: str, *kinds: type[Settings]) -> Variables:
    secret = {variable_of(kind, name) for kind in kinds for name in secret_names(kind)}
    every = {variable_of(kind, name) for kind in kinds for name in kind.model_fields}
    required = {variable_of(kind, name) for kind in kinds for name, field in kind.model_fields.items()
                if field.is_required()}
    load_test = _load_variables() if stage == "model-serving" else set()
    return Variables(frozenset((every | load_test) - secret), frozenset(secret), frozenset(required - secret))


def _load_variables() -> set[str]:
    done = subprocess.run([sys.executable, "-c", LOAD_VARIABLES], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def _paths() -> frozenset[str]:
    settings = ServingSettings(mlflow_tracking_uri="http://mlflow:5000", object_store_uri="s3://sentinel/nowhere")
    app = create_app(Scorer(Path(mkdtemp(prefix="sentinel-no-champion-"))), settings)
    return frozenset(rule.rule for rule in app.url_map.iter_rules() if "GET" in (rule.methods or ()))


def _accesses(environment: str) -> list[tuple[str, VaultAccess]]:
    found = []
    for access in read_accesses(environment, "sentinel", "secret"):
        (account,), (namespace,) = (access.role[f"bound_service_account_{name}"] for name in ("names", "namespaces"))
        paths = frozenset(READS.findall(access.policy))
        found.append((access.name, VaultAccess(account, namespace, access.role["audience"], paths)))
    return found
