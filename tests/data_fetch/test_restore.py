"""MongoDB is lost and restored from a backup, as the runbook tells it."""

from datetime import UTC, datetime, timedelta

from pydantic import SecretStr
from pymongo import MongoClient

from data_fetch.fetch_github_data import fetch_all
from sentinel.pull_request_document import to_document
from tests.data_fetch.conftest import TOKEN

NAME = "saltmarsh/ferry"


def test_restored_backup_is_completed_by_the_next_fetch(settings, serve_github, mongodb_uri, mongodb_database):
    github, address = serve_github({NAME: 150})
    wanted = settings(repositories=(NAME,), github_api_url=address, github_token=SecretStr(TOKEN))
    at = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    fetch_all(wanted)
    with MongoClient(mongodb_uri) as client:
        database = client[mongodb_database]
        backup = {name: list(database[name].find({})) for name in database.list_collection_names()}
        github.repositories[NAME].edit(min(one["number"] for one in backup["pull_requests"]), at, title="Changed since")
        github.repositories[NAME].open_another(at + timedelta(days=2))
        fetch_all(wanted)
        for name in database.list_collection_names():
            database.drop_collection(name)
        for name, documents in backup.items():
            if documents:
                database[name].insert_many(documents)

        facts = fetch_all(wanted)
        found = {document["_id"]: document for document in database["pull_requests"].find({})}

    assert (1, 1) == (facts["new"], facts["changed"])
    assert {one["_id"]: one for one in map(to_document, github.repositories[NAME].records())} == found
