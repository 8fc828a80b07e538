"""The champion's verdicts are read, ranked and found."""

import pyarrow
import pyarrow.parquet
import pytest

from sentinel.command.verdicts import read_champions_verdicts
from sentinel.errors import CorruptFileError, NotFoundError
from sentinel.object_store import FolderStore
from sentinel.verdict_files import point_to_champion
from tests.command.made_up_verdicts import VERDICT, verdict, write_verdicts


@pytest.fixture
def store(tmp_path):
    """Return an empty store."""
    return FolderStore(tmp_path.as_uri(), tmp_path)


def test_verdict_is_read_as_it_was_written(store):
    write_verdicts(store, "1", [VERDICT])

    assert VERDICT == read_champions_verdicts(store).find("octo/harbour", 7)


def test_most_unusual_come_first_without_the_warm_up(store):
    write_verdicts(store, "1", [verdict(1, 2.0), verdict(2, 8.0), verdict(3, 99.0, warm_up=True), verdict(4, 5.0)])

    assert [2, 4] == [found.number for found in read_champions_verdicts(store).top(2)]


def test_top_of_one_repository_whatever_the_case(store):
    write_verdicts(store, "1", [verdict(1, 2.0), verdict(1, 8.0, repository="octo/pier")])

    assert ["octo/harbour#1"] == [found.name for found in read_champions_verdicts(store).top(9, "Octo/Harbour")]


@pytest.mark.parametrize("older, newest", [
    ("9", "10"), ("20261122T090000Z-ff", "20261122T100000Z-aa"),
])
def test_newest_model_is_read_where_no_champion_is_named(store, older, newest):
    write_verdicts(store, newest, [VERDICT])
    write_verdicts(store, older, [VERDICT])

    assert newest == read_champions_verdicts(store).model_version


def test_champion_is_read_though_a_newer_model_has_verdicts(store):
    write_verdicts(store, "1", [VERDICT])
    write_verdicts(store, "2", [VERDICT])

    point_to_champion(store, "1")

    assert "1" == read_champions_verdicts(store).model_version


def test_champion_without_verdicts_is_told(store):
    write_verdicts(store, "1", [VERDICT])

    point_to_champion(store, "7")

    with pytest.raises(NotFoundError, match="no verdicts of the champion, model version 7; `sentinel run` writes"):
        read_champions_verdicts(store)


def test_no_verdicts_yet_says_how_to_begin(store):
    with pytest.raises(NotFoundError, match="no verdicts yet; begin with `sentinel run`"):
        read_champions_verdicts(store)


def test_unknown_pull_request_says_what_there_is(store):
    write_verdicts(store, "1", [verdict(3, 1.0), verdict(8, 1.0)])

    with pytest.raises(NotFoundError, match="no verdict on octo/harbour#5; octo/harbour has 2, from #3 to #8"):
        read_champions_verdicts(store).find("octo/harbour", 5)


def test_unknown_repository_says_what_there_is(store):
    write_verdicts(store, "1", [VERDICT])

    with pytest.raises(NotFoundError, match="no verdicts on octo/pier; there are some on: octo/harbour"):
        read_champions_verdicts(store).top(1, "octo/pier")


def test_cut_file_is_named(store):
    store.put_bytes("verdicts/1.parquet", b"PAR1 and then nothing")

    with pytest.raises(CorruptFileError, match=r"verdicts/1.parquet: no verdicts of this version"):
        read_champions_verdicts(store)


def test_missing_column_is_named(store, tmp_path):
    (tmp_path / "verdicts").mkdir()
    pyarrow.parquet.write_table(pyarrow.table({"repository": ["octo/harbour"]}), tmp_path / "verdicts" / "1.parquet")

    with pytest.raises(CorruptFileError, match="no column number, title, author"):
        read_champions_verdicts(store)
