"""Made-up verdicts, as records and as the parquet file that ml_training writes."""

from dataclasses import asdict, replace
from datetime import UTC, datetime
from io import BytesIO

import pyarrow
import pyarrow.parquet

from sentinel.judged import JudgedPullRequest, Reason

REASON = Reason("undo_surprise", "moment", "undoes a recent change", 7.5, 6.0, 99.7)
VERDICT = JudgedPullRequest(
    repository="octo/harbour", number=7, title="Revert the lock", author="ada",
    opened_at=datetime(2026, 3, 1, tzinfo=UTC), additions=1200, deletions=3, changed_files=1,
    split="test", warm_up=False, score=9.5, percentile=99.999, threshold=4.0, is_unusual=True,
    reasons=(REASON, replace(REASON, sentence="adds 1,200 lines", contribution=0.5)),
)


def verdict(number, score, **fields):
    """Return a verdict that differs in some fields."""
    return replace(VERDICT, number=number, score=score, **fields)


def write_verdicts(store, model_version, verdicts):
    """Publish verdicts in an object store."""
    content = BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([asdict(one) for one in verdicts]), content)
    store.put_bytes(f"verdicts/{model_version}.parquet", content.getvalue())
