"""`tuneloop backup`: a copy of the database."""

from pathlib import Path

import click

from engine.cli.common import workspace
from engine.core.actor import LOCAL
from engine.services import backups


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
def backup(file: Path) -> None:
    """Copy the database to a new FILE, also while the server runs and people vote.

    The files beside it (data, models) are copied with the folder TUNELOOP_HOME.
    """
    with workspace() as ws:
        made = backups.make(ws, LOCAL, file)
        click.echo(f"{made} holds the whole database. To use it, put it in place of tuneloop.db.")
