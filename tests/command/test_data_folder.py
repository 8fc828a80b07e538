"""One run at a time works in a data folder that can be written."""

import os
from pathlib import Path

import pytest

from sentinel.command.data_folder import DataFolder, locked
from sentinel.errors import PermissionDeniedError, UnavailableError


def test_folder_is_made_and_holds_the_logs(tmp_path):
    data = DataFolder(tmp_path / "a" / "b")

    with locked(data):
        assert data.logs.is_dir()


@pytest.mark.parametrize("below", ["file/state", "file"])
def test_folder_below_a_file_is_refused(tmp_path, below):
    (tmp_path / "file").write_text("")

    with pytest.raises(PermissionDeniedError, match="cannot write the data folder .*name another with --data"):
        with locked(DataFolder(tmp_path / below)):
            pass


def test_folder_of_the_kernel_is_refused():
    with pytest.raises(PermissionDeniedError, match="cannot write the data folder /proc/state"):
        with locked(DataFolder(Path("/proc/state"))):
            pass


def test_second_run_is_told_who_has_the_folder(data):
    with locked(data):
        with pytest.raises(UnavailableError, match=rf"process {os.getpid()}\) works in"):
            with locked(data):
                pass


def test_folder_is_free_after_the_run(data):
    with locked(data):
        pass

    with locked(data):
        assert str(os.getpid()) == (data.path / "lock").read_text()


def test_stores_lie_below_the_folder(tmp_path):
    data = DataFolder(tmp_path / "with blank")

    assert f"file://{tmp_path}/with%20blank/objects" == data.object_store_uri
    assert f"sqlite:///{tmp_path}/with blank/mlflow.db" == data.mlflow_uri
