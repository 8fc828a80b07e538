"""`sentinel backtest`: replay a history, and see what would have been flagged."""

import sys
from collections.abc import Mapping
from pathlib import Path

import click

from sentinel.command.options import ORDER_OPTION

BACKTEST, BACKTEST_MODULE = "backtest", "ml_training.backtest"


@click.command(short_help="Replay a history: what would have been flagged?")
@click.argument("source")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, metavar="FILE",
              help="Where the JSON lines go; the plot goes beside it.")
@ORDER_OPTION
@click.option("--incidents", type=click.Path(path_type=Path, exists=True, dir_okay=False), metavar="FILE",
              help="CSV of known incidents; columns repository or repo, and number or sha.")
@click.pass_obj
def backtest(environment: Mapping[str, str], source: str, out: Path, order: str,
             incidents: Path | None) -> None:
    """Replay the pull requests of SOURCE and write one JSON line for each.

    \b
    sentinel backtest git:../kafka --out scores.jsonl
    sentinel backtest jsonl:history.jsonl.gz --out scores.jsonl --incidents known.csv
    sentinel backtest simulated: --out scores.jsonl

    Each pull request is judged by a model of earlier ones only, which is fitted anew as
    history grows. SENTINEL_ALERT_BUDGET is the share that may be flagged (0.01).
    """
    from rich.console import Console

    from sentinel.command.child import Program
    from sentinel.command.stages import import_path
    from sentinel.command.task import run_shown_task

    named = ("--incidents", str(incidents)) if incidents else ()
    argv = (sys.executable, "-P", "-m", BACKTEST_MODULE, source, "--out", str(out), "--order", order, *named)
    facts = run_shown_task(Program(BACKTEST, argv, {**environment, **import_path(environment)}), Console())
    for line in facts.get("summary", ()):
        click.echo(line)
