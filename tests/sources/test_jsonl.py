"""The source of JSON lines, on made-up files."""

import gzip
import tracemalloc
from pathlib import Path

import orjson
import pytest

from sentinel.errors import CorruptFileError, NotFoundError, SettingsError
from sentinel.sources.jsonl import PAGE_RECORDS
from sentinel.sources.kinds import open_source
from sentinel.sources.page import MAX_RAW_BYTES


def line(number: int, repository: str = "octo/harbour", **fields: object) -> bytes:
    payload = {"number": number, "title": "Mend", "created_at": "2026-03-02T09:30:00Z",
               "base": {"ref": "main", "repo": {"full_name": repository}}, **fields}
    return orjson.dumps(payload) + b"\n"


def read(path: Path) -> list:
    with open_source(f"jsonl:{path}", None) as source:
        return list(source.pages(lambda repository: None))


def numbers(pages: list) -> list[int]:
    return [record.pull_request.number for page in pages for record in page.records]


@pytest.mark.parametrize("name, pack", [
    ("prs.jsonl", bytes), ("prs.jsonl.gz", gzip.compress), ("packed-under-another-name.jsonl", gzip.compress),
])
def test_file_is_read_whatever_its_name_says_of_packing(tmp_path, name, pack):
    (tmp_path / name).write_bytes(pack(line(1) + b"\n" + line(2)))

    assert [1, 2] == numbers(read(tmp_path / name))


def test_folder_is_read_file_by_file_in_order_of_name(tmp_path):
    (tmp_path / "b.jsonl").write_bytes(line(3))
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(line(1) + line(2)))
    (tmp_path / "notes.txt").write_bytes(b"no records")

    assert [1, 2, 3] == numbers(read(tmp_path))


def test_pages_hold_one_repository_each(tmp_path):
    (tmp_path / "prs.jsonl").write_bytes(line(1) + line(1, "octo/pier") + line(2))

    pages = read(tmp_path / "prs.jsonl")

    assert {"octo/harbour": [1, 2], "octo/pier": [1]} == {page.repository: numbers([page]) for page in pages}
    assert [(None, 3), (None, 3)] == [(page.cursor, page.total) for page in pages]


def test_pages_are_full_but_the_last(tmp_path):
    (tmp_path / "prs.jsonl").write_bytes(b"".join(map(line, range(1, PAGE_RECORDS + 2))))

    assert [PAGE_RECORDS, 1] == [len(page.records) for page in read(tmp_path / "prs.jsonl")]


@pytest.mark.parametrize("bad, reason", [
    (b"{\n", "line is no JSON"),
    (b"\xff\xfe\n", "line is no JSON"),
    (b"[1]\n", "expected a JSON object"),
    (line(1).replace(b'"number":1,', b""), "number: seen None, expected a whole number above 0"),
    (line(1, "octo/harbour/pier"), "one slash"),
    (line(1).replace(b"2026-03-02T09:30:00Z", b"yesterday"), "created_at: seen 'yesterday'"),
])
def test_bad_line_is_rejected_with_its_place_and_reason(tmp_path, bad, reason):
    (tmp_path / "prs.jsonl").write_bytes(line(1) + bad + line(2))

    pages = read(tmp_path / "prs.jsonl")

    assert [1, 2] == numbers(pages)
    assert ["prs.jsonl:2"] == [reject.place for page in pages for reject in page.rejected]
    assert reason in pages[0].rejected[0].reason


def test_rejected_line_names_its_pull_request_where_it_can(tmp_path):
    (tmp_path / "prs.jsonl").write_bytes(line(7, title=5) + b"{}\n")

    assert ["octo/harbour#7", None] == [reject.key for reject in read(tmp_path)[0].rejected]


def test_rejected_line_is_kept_up_to_64_kib(tmp_path):
    (tmp_path / "prs.jsonl").write_bytes("ß".encode() * MAX_RAW_BYTES + b"\n")

    raw = read(tmp_path)[0].rejected[0].raw

    assert MAX_RAW_BYTES == len(raw.encode())


def test_endless_line_is_rejected_in_bounded_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("sentinel.sources.jsonl.LONGEST_LINE_BYTES", 1_000_000)
    (tmp_path / "prs.jsonl.gz").write_bytes(gzip.compress(b"x" * 20_000_000 + b"\n" + line(2), 1))

    tracemalloc.start()
    pages = read(tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert [2] == numbers(pages)
    assert "longer than 1000000 bytes" in pages[0].rejected[0].reason
    assert peak < 8_000_000


def test_large_records_make_small_pages(tmp_path):
    patch = [{"filename": "a", "patch": "+" * 60_000}] * 10
    (tmp_path / "prs.jsonl").write_bytes(b"".join(line(number, files=patch) for number in range(1, 41)))

    pages = read(tmp_path)

    assert list(range(1, 41)) == numbers(pages)
    assert max(len(page.records) for page in pages) <= 15


@pytest.mark.parametrize("name, content, said", [
    ("prs.jsonl.gz", line(1), "the name says gzip, the content is not"),
    ("prs.jsonl.gz", b"", "the name says gzip, the content is not"),
    ("prs.jsonl.gz", gzip.compress(line(1) * 100)[:-9], "cut short or damaged"),
    ("prs.jsonl.gz", gzip.compress(line(1) * 100)[:20] + b"\xff" * 40, "cut short or damaged"),
])
def test_damaged_file_is_named(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)

    with pytest.raises(CorruptFileError, match=said) as caught:
        read(tmp_path / name)

    assert name in str(caught.value)


def test_empty_file_holds_no_page(tmp_path):
    (tmp_path / "prs.jsonl").touch()

    assert [] == read(tmp_path)


@pytest.mark.parametrize("name, said", [("missing.jsonl", "no such file"), (".", r"no file named \*.jsonl")])
def test_missing_path_is_named(tmp_path, name, said):
    with pytest.raises(NotFoundError, match=said):
        read(tmp_path / name)


@pytest.mark.parametrize("uri", ["", "jsonl:", "git:", "github:", "prs.jsonl", "ftp:prs", "simulated", "simulated:x"])
def test_unknown_kind_of_source_is_answered_with_the_known_ones(uri):
    with pytest.raises(SettingsError, match="github:OWNER/NAME(.|\n)*git:PATH(.|\n)*jsonl:PATH(.|\n)*simulated:"):
        with open_source(uri, None):
            pass


@pytest.mark.parametrize("name", ["flask", "a/b/c", "https://github.com/a/b", "a/", "a /b"])
def test_github_wants_owner_and_name(name):
    with pytest.raises(SettingsError, match="expected OWNER/NAME with one slash, for example github:pallets/flask"):
        with open_source(f"github:{name}", None):
            pass
