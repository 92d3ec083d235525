"""backup and restore: a copy of the database, and its way back."""

from pathlib import Path

import click

from engine.cli.common import as_json, show, workspace
from engine.core.actor import LOCAL
from engine.services import backups
from engine.workspace import Settings

FILE = click.argument("file", type=click.Path(path_type=Path))


@click.command()
@FILE
def backup(file: Path) -> None:
    """Copy the database to a new FILE; safe while the server runs and people vote.

    Copy the folder files in TUNELOOP_HOME (datasets and models) as well. Bring both back with
    `tuneloop restore FILE`.
    """
    with workspace() as ws:
        made = backups.make(ws, LOCAL, file)
        click.echo(f"{made} holds the whole database. Copy {ws.files} as well.")


@click.command()
@FILE
@as_json
def restore(file: Path, as_json: bool) -> None:
    """Put the backup FILE into an empty TUNELOOP_HOME.

    The folder files of the backup may be there already; anything else is refused. Everybody has to
    sign in again, and unused sign-in links no longer work.
    """
    restored = backups.restore(Settings.from_environment(), LOCAL, file)
    lines = [
        f"{restored.database} holds {restored.projects} projects and {restored.votes} votes.",
        "Everybody has to sign in again.",
    ]
    if not restored.files_present:
        lines.append("Now copy the folder files (datasets and models) beside it.")
    show(restored, "\n".join(lines), as_json)
