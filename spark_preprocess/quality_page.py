"""The report of a run's quality as one small HTML page, which needs nothing else to be read."""

from collections.abc import Iterable
from html import escape

from sentinel.features import CATALOGUE
from sentinel.features.feature import count_in_words
from spark_preprocess.quality import LEAST_ROWS, QualityReport

SHOWN_REPOSITORIES = 100
STYLE = ("body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#222}"
         "table{border-collapse:collapse;width:100%}th,td{padding:.2rem .6rem;text-align:right;"
         "border-bottom:1px solid #ddd}th:first-child,td:first-child{text-align:left}"
         ".hard{color:#a40000;font-weight:600}.soft{color:#8a5a00}.good{color:#226622}")


def to_html(report: QualityReport) -> str:
    """Return the whole page; names from outside are escaped."""
    title = f"Quality of the features of run {escape(report.run_id)}"
    return "".join((
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>',
        f"<h1>{title}</h1>",
        f"<p>{report.features.n_rows:,} pull requests of {count_in_words(len(report.repositories), 'repository')}.</p>",
        _findings(report),
        "<h2>Features</h2>", _table(
            ("feature", "group", "unknown", "lowest", "highest", "expected", "outside", "infinite"), _features(report)),
        f"<h2>Repositories</h2><p>The largest {min(SHOWN_REPOSITORIES, len(report.repositories))}; who opened most, "
        f"and when, is checked from {LEAST_ROWS} pull requests on.</p>", _table(
            ("repository", "pull requests", "most by", "share", "most on", "share", "twice", "in the future"),
            _repositories(report)),
        "</html>\n"))


def _findings(report: QualityReport) -> str:
    if not report.findings:
        return '<p class="good">Nothing is out of the ordinary.</p>'
    lines = "".join(f'<li class="{one.severity}">{one.severity}: {escape(str(one))}</li>' for one in report.findings)
    return f"<h2>Findings</h2><ul>{lines}</ul><p>Soft ones warn; a hard one stops the run.</p>"


def _features(report: QualityReport) -> Iterable[tuple[str, ...]]:
    counts = report.features
    for place, feature in enumerate(CATALOGUE):
        lowest, highest = counts.lowest[place], counts.highest[place]
        yield (feature.name, feature.group, _share(counts.unknown[place], counts.n_rows),
               "" if lowest is None else f"{lowest:.4g}", "" if highest is None else f"{highest:.4g}",
               f"{feature.lowest:g} to {feature.highest:g}", f"{counts.outside[place]:,}",
               f"{counts.infinite[place]:,}")


def _repositories(report: QualityReport) -> Iterable[tuple[str, ...]]:
    for one in sorted(report.repositories, key=lambda counts: -counts.n_rows)[:SHOWN_REPOSITORIES]:
        yield (one.repository, f"{one.n_rows:,}", one.top_author or "", _share(one.by_top_author, one.n_rows),
               one.top_day or "", _share(one.on_top_day, one.n_rows), f"{one.duplicates:,}", f"{one.future:,}")


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _share(count: int, of: int) -> str:
    return f"{count / of:.1%}" if of else ""
