"""`sentinel models`, `promote`, `rollback`: the registered models, and which of them is the champion."""

import getpass
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from sentinel.command.options import DATA_OPTION

ALIAS_STYLES = {"champion": "green", "challenger": "yellow"}
WHY = click.option("--why", required=True, metavar="REASON", help="Your reason, kept with the model.")
WHO = click.option("--who", metavar="NAME", help="Your name, kept with the model; by default your login.")


@click.command(short_help="List the registered models.")
@click.option("--json", "as_json", is_flag=True, help="A JSON array, for other programs.")
@DATA_OPTION
@click.pass_obj
def models(environment: Mapping[str, str], as_json: bool, folder: Path) -> None:
    """List the registered models, the newest first: which serves, and what the gate said.

    \b
    sentinel models
    sentinel models --json | jq -r '.[0].gate'
    """
    from rich.console import Console

    rows = run_model_task(environment, folder, "models")["models"]
    if as_json:
        import json
        click.echo(json.dumps(rows, indent=2))
    else:
        print_models(Console(), rows)


@click.command(short_help="Make a registered model the champion.")
@click.argument("number")
@WHY
@WHO
@DATA_OPTION
@click.pass_obj
def promote(environment: Mapping[str, str], number: str, why: str, who: str | None, folder: Path) -> None:
    """Make model NUMBER of `sentinel models` the champion: the scorer serves it, the list is its list.

    \b
    sentinel promote 4 --why 'flags more, and we want that'
    sentinel promote 4 --who ada --why 'agreed with the team'

    `sentinel rollback` takes it back.
    """
    _tell_move(run_model_task(environment, folder, "promote", number, "--who", who or _login(), "--why", why))


@click.command(short_help="Bring the champion's predecessor back.")
@WHY
@WHO
@DATA_OPTION
@click.pass_obj
def rollback(environment: Mapping[str, str], why: str, who: str | None, folder: Path) -> None:
    """Make the model that the champion replaced the champion again.

    \b
    sentinel rollback --why 'too many alerts since Monday'
    """
    _tell_move(run_model_task(environment, folder, "rollback", "--who", who or _login(), "--why", why))


def run_model_task(environment: Mapping[str, str], folder: Path, *arguments: str) -> Mapping[str, Any]:
    """Run `python -m ml_training ARGUMENTS` for a data folder; return its closing facts."""
    from sentinel.command.data_folder import DataFolder
    from sentinel.command.stages import MLFLOW, TRAIN, stage_environment, stage_program
    from sentinel.command.task import run_task
    from sentinel.errors import NotFoundError

    data = DataFolder(folder)
    if MLFLOW not in environment and not (data.path / "mlflow.db").exists():
        raise NotFoundError(f"{folder}: no models yet; begin with `sentinel run`, name the folder of an earlier run "
                            f"with --data DIR, or an MLflow server in {MLFLOW}")
    return run_task(stage_program(TRAIN, arguments, stage_environment(data, environment)))


def print_models(console: Any, rows: Sequence[Mapping[str, str]]) -> None:
    """Print a line per model, and below it what the gate and people said."""
    from rich.text import Text

    from sentinel.command.printing import print_hanging
    from sentinel.command.safe_text import visible

    if not rows:
        console.print("no models yet")
    for row in rows:
        alias = row.get("aliases", "")
        print_hanging(console, Text.assemble(f"{row['number']:>3}  ", (visible(row["model_version"]), "bold"), "  ",
                                             (alias, ALIAS_STYLES.get(alias, "dim"))))
        notes = [f"gate: {row['gate']}"] if row.get("gate") else []
        if row.get("promoted_by") and row["promoted_by"] != "the gate":
            notes.append(f"{row['promoted_by']}, {row['promoted_at'][:10]}: {row['promoted_because']}")
        for note in notes:
            print_hanging(console, Text(f"     {visible(note)}", style="dim"), indent=5)


def _tell_move(facts: Mapping[str, Any]) -> None:
    if facts["moved"] == "yes":
        click.echo(f"champion is {facts['champion']} now, before {facts['before']}")
    else:
        click.echo(f"champion is {facts['champion']}; it was before")


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return f"user {os.getuid()}"
