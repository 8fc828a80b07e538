"""Options that several commands share."""

from pathlib import Path

import click

DATA_OPTION = click.option(
    "--data", "folder", type=click.Path(path_type=Path), default=Path(".sentinel"), show_default=True,
    metavar="DIR", help="Folder of all state; safe to delete.")
ORDER_OPTION = click.option(
    "--order", type=click.Choice(["opened", "source"]), default="opened", show_default=True,
    help="What the order of time is: the opening, or the source's own order.")
