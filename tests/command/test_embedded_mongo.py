"""The embedded server starts whatever a dead one left behind, and is gone at the end."""

import os

import pytest
from pymongo import MongoClient

from sentinel.command.embedded_mongo import embedded_mongo
from sentinel.errors import UnavailableError
from tests.command.processes import lives


def process_of(data):
    """Return the process id of the server."""
    return int((data.path / "mongodb.pid").read_text())


def test_server_answers_and_is_gone_at_the_end(data):
    with embedded_mongo(data, os.environ) as uri, MongoClient(uri, timeoutMS=5000) as client:
        client["sentinel"]["pull_requests"].insert_one({"_id": "octo/harbour#1"})
        server = process_of(data)

    assert not lives(server)
    assert not (data.path / "mongodb.pid").exists()


def test_what_was_written_is_there_after_a_kill(data):
    with embedded_mongo(data, os.environ) as uri, MongoClient(uri, timeoutMS=5000) as client:
        client["sentinel"]["pull_requests"].insert_one({"_id": "octo/harbour#1"})
        os.kill(process_of(data), 9)

    with embedded_mongo(data, os.environ) as uri, MongoClient(uri, timeoutMS=5000) as client:
        assert 1 == client["sentinel"]["pull_requests"].count_documents({})


def test_process_file_of_a_dead_server_is_no_obstacle(data):
    # The id is that of a living process, as it may be after a restart of the machine.
    (data.path / "mongodb.pid").write_text(str(os.getpid()))

    with embedded_mongo(data, os.environ):
        assert os.getpid() != process_of(data)


def test_server_that_cannot_start_is_told_with_its_last_words(data):
    (data.path / "mongodb.db").write_bytes(b"no database at all" * 100)

    with pytest.raises(UnavailableError, match="file is not a database"):
        with embedded_mongo(data, os.environ):
            pass
