"""The job of the first stage, from small sources into a real server."""

import os
import signal

import orjson
import pytest
from structlog.testing import capture_logs

from data_fetch.fetch_github_data import fetch_all
from data_fetch.settings import DataFetchSettings
from data_fetch.stopping import StoppedError, Stopping
from sentinel.errors import (
    CorruptFileError, DataUnusableError, NotFoundError, SentinelError, SettingsError, UnavailableError,
)
from sentinel.mongo import open_pull_request_store
from sentinel.settings import load_settings
from tests.sources.git_builder import History


def line(number: int, title: str = "Mend", repository: str = "octo/harbour") -> bytes:
    payload = {"number": number, "title": title, "created_at": "2026-03-02T09:30:00Z",
               "base": {"ref": "main", "repo": {"full_name": repository}}}
    return orjson.dumps(payload) + b"\n"


def stored(settings: DataFetchSettings) -> set[str]:
    with open_pull_request_store(settings) as store:
        return {key for _, key, _ in store.content_hashes()}


def test_second_run_writes_nothing_and_says_so(settings, tmp_path):
    (tmp_path / "prs.jsonl").write_bytes(line(1) + line(2))
    wanted = settings(f"jsonl:{tmp_path}")

    first, second = fetch_all(wanted), fetch_all(wanted)

    assert (2, 0, False) == (first["new"], first["unchanged"], first["wrote_nothing"])
    assert (0, 2, True) == (second["new"], second["unchanged"], second["wrote_nothing"])
    assert {"octo/harbour#1", "octo/harbour#2"} == stored(wanted)


def test_changed_pull_request_is_refreshed(settings, tmp_path):
    wanted = settings(f"jsonl:{tmp_path}")
    (tmp_path / "prs.jsonl").write_bytes(line(1) + line(2))
    fetch_all(wanted)
    (tmp_path / "prs.jsonl").write_bytes(line(1, "Mend both") + line(2))

    facts = fetch_all(wanted)

    assert (0, 1, 1, False) == (facts["new"], facts["changed"], facts["unchanged"], facts["wrote_nothing"])


def test_clone_is_read_from_where_the_last_run_ended(settings, tmp_path):
    history = History(tmp_path / "harbour")
    history.commit("Mend (#1)", {"a": b"1\n"})
    wanted = settings(f"git:{history.write()}")

    assert [1, 0] == [fetch_all(wanted)["read"], fetch_all(wanted)["read"]]
    assert 1 == fetch_all(settings(f"git:{history.path}", full=True))["read"]

    history.commit("Paint (#2)", {"b": b"1\n"})
    history.write()

    assert 1 == fetch_all(wanted)["new"]


def test_failing_source_does_not_stop_the_others(settings, tmp_path):
    (tmp_path / "good.jsonl").write_bytes(line(1))
    (tmp_path / "bad.jsonl.gz").write_bytes(b"no gzip")
    wanted = settings(f"jsonl:{tmp_path}/bad.jsonl.gz", f"jsonl:{tmp_path}/good.jsonl")

    with pytest.raises(CorruptFileError, match="the name says gzip"):
        fetch_all(wanted)

    assert {"octo/harbour#1"} == stored(wanted)


@pytest.mark.parametrize("names, kind", [
    (("bad.jsonl.gz", "missing.jsonl"), NotFoundError), (("missing.jsonl", "bad.jsonl.gz"), NotFoundError),
    (("bad.jsonl.gz", "garbage.jsonl"), DataUnusableError),
])
def test_worst_failure_decides_and_all_are_named(settings, tmp_path, names, kind):
    (tmp_path / "bad.jsonl.gz").write_bytes(b"no gzip")
    (tmp_path / "garbage.jsonl").write_bytes(b"{}\n")

    with pytest.raises(kind, match="the name says gzip") as caught:
        fetch_all(settings(*(f"jsonl:{tmp_path}/{name}" for name in names)))

    assert "missing.jsonl" in str(caught.value) or "1 of 1 records" in str(caught.value)


def test_too_many_rejected_records_fail_after_the_good_ones_are_stored(settings, tmp_path):
    (tmp_path / "prs.jsonl").write_bytes(b"".join(map(line, range(1, 10))) + b"{\n")
    strict, lenient = settings(f"jsonl:{tmp_path}"), settings(f"jsonl:{tmp_path}", max_rejected_share=0.1)

    with pytest.raises(DataUnusableError, match="1 of 10 records could not be read"):
        fetch_all(strict)

    assert 9 == len(stored(strict))
    assert (1, 9) == (fetch_all(lenient)["rejected"], fetch_all(lenient)["unchanged"])


def test_empty_source_is_told_and_is_no_failure(settings, tmp_path):
    (tmp_path / "prs.jsonl").touch()

    with capture_logs() as events:
        facts = fetch_all(settings(f"jsonl:{tmp_path}"))

    assert (0, True) == (facts["read"], facts["wrote_nothing"])
    assert [("data_fetch.source_empty", "warning")] == [
        (one["event"], one["log_level"]) for one in events if one["event"].startswith("data_fetch.source")]


def test_database_that_is_away_is_no_fault_of_a_source(free_port, tmp_path):
    (tmp_path / "prs.jsonl").write_bytes(line(1))
    away = DataFetchSettings(mongodb_uri=f"mongodb://127.0.0.1:{free_port}", mongodb_budget_seconds=0.3,
                             sources=(f"jsonl:{tmp_path}",))

    with pytest.raises(UnavailableError, match="MongoDB did not answer in time"):
        fetch_all(away)


def test_signal_while_a_page_is_stored_waits_for_its_end():
    done = []

    with pytest.raises(StoppedError, match="stopped by SIGTERM"), Stopping().listening() as stopping:
        with stopping.put_off():
            os.kill(os.getpid(), signal.SIGTERM)
            done.append("page")
        done.append("next page")

    assert ["page"] == done


def test_signal_between_pages_stops_at_once_and_is_given_back():
    before = signal.getsignal(signal.SIGTERM)

    with pytest.raises(StoppedError), Stopping().listening():
        os.kill(os.getpid(), signal.SIGTERM)
        pytest.fail("still running")

    assert before == signal.getsignal(signal.SIGTERM)


def test_store_that_hangs_is_left_when_the_grace_is_over(monkeypatch):
    monkeypatch.setattr("data_fetch.stopping.GRACE_SECONDS", 0.05)

    with pytest.raises(StoppedError), Stopping().listening() as stopping, stopping.put_off():
        os.kill(os.getpid(), signal.SIGTERM)
        signal.pause()


def test_settings_are_read_from_the_environment(monkeypatch):
    monkeypatch.setenv("MONGODB_URI", "mongodb://mongo")
    monkeypatch.setenv("SENTINEL_SOURCES", "github:octo/harbour\ngit:/srv/a folder\n\n")
    monkeypatch.setenv("GITHUB_TOKEN", "ghp_secret")

    settings = load_settings(DataFetchSettings)

    assert ("github:octo/harbour", "git:/srv/a folder") == settings.sources
    assert "ghp_secret" == settings.github_token.get_secret_value()
    assert "ghp_secret" not in repr(settings)


def test_missing_settings_are_all_listed(monkeypatch):
    for name in ("MONGODB_URI", "SENTINEL_SOURCES"):
        monkeypatch.delenv(name, raising=False)

    with pytest.raises(SettingsError) as caught:
        load_settings(DataFetchSettings)

    assert all(name in str(caught.value) for name in ("MONGODB_URI", "SENTINEL_SOURCES", "github:pallets/flask"))
    assert isinstance(caught.value, SentinelError)
