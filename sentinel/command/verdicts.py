"""The champion's verdicts, read for people."""

import re
from io import BytesIO

import pyarrow
import pyarrow.compute
import pyarrow.parquet

from sentinel.errors import CorruptFileError, NotFoundError
from sentinel.judged import COLUMNS, JudgedPullRequest, read_row
from sentinel.object_store import ObjectStore
from sentinel.verdict_files import champion_version, verdicts_name, versions_with_verdicts


class Verdicts:
    """All verdicts of one model version."""

    def __init__(self, model_version: str, table: pyarrow.Table) -> None:
        """Keep the table; rows become records only when asked for."""
        self.model_version = model_version
        self._table = table

    def __len__(self) -> int:
        """Count the pull requests."""
        n_rows: int = self._table.num_rows
        return n_rows

    def top(self, limit: int, repository: str | None = None) -> list[JudgedPullRequest]:
        """Return the most unusual first; those whose history knew too little are left out.

        Raises NotFoundError for a repository that has no verdicts.
        """
        table = self._table if repository is None else self._of(repository)
        table = table.filter(pyarrow.compute.invert(table["warm_up"]))
        ranked = table.sort_by([("score", "descending"), ("repository", "ascending"), ("number", "ascending")])
        return [read_row(row) for row in ranked.slice(0, limit).to_pylist()]

    def find(self, repository: str, number: int) -> JudgedPullRequest:
        """Return the verdict on one pull request; raises NotFoundError."""
        table = self._of(repository)
        rows = table.filter(pyarrow.compute.equal(table["number"], number)).to_pylist()
        if not rows:
            numbers = pyarrow.compute.min_max(table["number"]).as_py()
            raise NotFoundError(f"no verdict on {repository}#{number}; {repository} has {table.num_rows:,}, "
                                f"from #{numbers['min']} to #{numbers['max']}")
        return read_row(rows[0])

    def scores(self, repository: str) -> list[float]:
        """Return the scores of one repository, warm-up left out, in no order."""
        table = self._of(repository)
        known = table.filter(pyarrow.compute.invert(table["warm_up"]))
        scores: list[float] = known["score"].to_pylist()
        return scores

    def _of(self, repository: str) -> pyarrow.Table:
        same = pyarrow.compute.equal(pyarrow.compute.utf8_lower(self._table["repository"]), repository.lower())
        table = self._table.filter(same)
        if not table.num_rows:
            known = sorted(pyarrow.compute.unique(self._table["repository"]).to_pylist())
            raise NotFoundError(f"no verdicts on {repository}; there are some on: {', '.join(known[:20]) or 'nothing'}")
        return table


def read_champions_verdicts(store: ObjectStore) -> Verdicts:
    """Read the champion's verdicts, or the newest where no champion is named.

    Raises NotFoundError where there are none yet.
    """
    versions = versions_with_verdicts(store)
    if not versions:
        raise NotFoundError(f"{store.uri}: no verdicts yet; begin with `sentinel run`, or name the folder "
                            "of an earlier run with --data DIR")
    version = champion_version(store) or max(versions, key=_natural_order)
    if version not in versions:
        raise NotFoundError(f"{store.uri}: no verdicts of the champion, model version {version}; `sentinel run` "
                            f"writes them; there are some of: {', '.join(sorted(versions)[-5:])}")
    name = verdicts_name(version)
    try:
        file = pyarrow.parquet.ParquetFile(BytesIO(store.get_bytes(name)))
        missing = [column for column in COLUMNS if column not in file.schema_arrow.names]
        table = file.read([column for column in COLUMNS if column not in missing])
    except pyarrow.ArrowException as error:
        raise CorruptFileError(f"{store.uri}/{name}: no verdicts of this version ({error}); "
                               "do `sentinel run` again") from error
    if missing:
        raise CorruptFileError(f"{store.uri}/{name}: no column {', '.join(missing)}; do `sentinel run` again")
    return Verdicts(version, table)


def _natural_order(version: str) -> list[tuple[int, str]]:
    """Order version 10 after version 9."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", version)]
