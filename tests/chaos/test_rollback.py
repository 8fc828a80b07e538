"""The alias moves forward and back while the scorer serves: no request fails, and the scorer follows."""

from collections import Counter
from datetime import UTC, datetime
from urllib.request import Request, urlopen

import orjson
import pytest
from pydantic import SecretStr

from ml_training.models import promote, roll_back
from ml_training.registry import Registry
from model_serving.champion_copy import MODEL
from sentinel.object_store import open_object_store
from tests.chaos.test_serving import HEADERS, N_REQUESTS, N_STEADY, Client, asking, run_scorer  # noqa: F401
from tests.model_serving.conftest import TOKEN, scorer, settings  # noqa: F401
from tests.model_serving.test_champion import register
from tests.patience import PATIENCE_SECONDS

pytestmark = [pytest.mark.chaos, pytest.mark.filterwarnings("ignore::DeprecationWarning")]
N_MOVES = 8


def test_promotions_and_rollbacks_under_load_fail_no_request(run_scorer, settings, scorer, tmp_path,  # noqa: F811
                                                             seen):
    own = settings.model_copy(update={"mlflow_tracking_uri": f"sqlite:///{tmp_path / 'mlflow.db'}"})
    register(own.model_copy(update={"champion_folder": tmp_path / "unused" / "champion"}),
             scorer.folder.read(scorer.champion.facts, MODEL))
    registry, store = Registry(own), open_object_store(own)
    [first] = registry.versions()
    second = registry.register(first.run_id, first.tags)
    address = run_scorer(api_token=SecretStr(TOKEN), mlflow_tracking_uri=own.mlflow_tracking_uri,
                         fetch_budget_seconds=PATIENCE_SECONDS).address  # else a busy machine keeps the old one
    clients, followed = [Client(address) for _ in range(N_STEADY)], []
    with asking(clients, lambda: sum(client.statuses.total() for client in clients) >= N_REQUESTS):
        for _ in range(N_MOVES // 2):
            promote(registry, store, second.number, "ada", "better", datetime.now(UTC))
            followed.append(reload(address))
            roll_back(registry, store, "ada", "worse", datetime.now(UTC))
            followed.append(reload(address))

    statuses = sum((client.statuses for client in clients), Counter())
    seen(requests=statuses.total(), failed=statuses.total() - statuses[200], moves=len(followed))
    assert {200} == set(statuses) and statuses.total() >= N_REQUESTS
    assert [second.number, first.number] * (N_MOVES // 2) == followed


def reload(address: str) -> str:
    """Let the scorer look for the champion, and return the number of the one that it has then."""
    with urlopen(Request(f"{address}/model/reload", b"", HEADERS), timeout=PATIENCE_SECONDS) as answer:
        return str(orjson.loads(answer.read())["registry_version"])
