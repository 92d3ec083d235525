"""rating add: votes and ratings of a file into a project."""

from pathlib import Path

import click

from engine.cli import common, vote_files
from engine.cli.common import AliasGroup, as_json, in_project, say, show, workspace
from engine.cli.rating import rating
from engine.core.actor import LOCAL
from engine.services.rating import import_removal, vote_import
from engine.services.rating.vote_import import ImportedVotes, VoteImport

MOST_LISTED = 20  # refused rows


@rating.command()
@click.argument("file", type=click.Path(path_type=Path))
@vote_files.map_options
@click.option(
    "--format",
    "format_name",
    default=None,
    type=click.Choice([each.name for each in vote_import.formats()]),
    help="Format of the file; detected by default.",
)
@click.option(
    "--new", default=None, help="Model under test; by default the first that the file names."
)
@click.option("--name", default="", help="Name of the rounds; the file's by default.")
@click.option(
    "--test",
    is_flag=True,
    help="Votes of a blind test: kept out of preference pairs, their questions out of training.",
)
@click.option(
    "--good-from", type=float, default=None, help="Number from which a rated answer is good."
)
@click.option("--preview", is_flag=True, help="Say what the file holds and store nothing.")
@in_project
@as_json
def add(
    file: Path,
    columns: tuple[str, ...],
    choices: tuple[str, ...],
    format_name: str | None,
    new: str | None,
    name: str,
    test: bool,
    good_from: float | None,
    preview: bool,
    project: str | None,
    as_json: bool,
) -> None:
    """Add the votes or ratings of FILE to a project, as closed rounds.

    A table (CSV with any separator, XLSX, JSONL, Parquet) has one vote or rating per row; exports
    of Label Studio, Argilla, Open WebUI, LangSmith and Langfuse are recognised. Rows that are no
    votes are counted with their reasons. The same file is not added twice.
    """
    how = VoteImport(
        mapping=vote_files.mapping_of(columns, choices),
        format=format_name,
        new=new,
        name=name,
        test=test,
        good_from=good_from,
    )
    with workspace() as ws:
        chosen = common.project(ws, project, make=not preview).id
        if preview:
            seen = vote_import.preview(ws, LOCAL, chosen, file, file.name, how)
            show(seen, "\n".join(vote_import.sentences(seen)), as_json)
        else:
            made = vote_import.add(ws, LOCAL, chosen, file, file.name, how)
            seen = made.seen
            show(made, _as_text(made), as_json)
        for line in vote_import.first_reasons(seen.broken[:MOST_LISTED]):
            say(line)


@rating.command("remove-import")
@click.argument("round_id", metavar="ROUND")
@as_json
def remove_import(round_id: str, as_json: bool) -> None:
    """Remove imported votes from a project, such as those of a wrong mapping.

    ROUND is any round that the file became; all of them go. Votes that people gave in Tuneloop are
    never removed, nor imported ones once pairs were made of them or a model was promoted on them.
    """
    with workspace() as ws:
        gone = import_removal.remove(ws, LOCAL, round_id)
        show(gone, gone.sentence, as_json)


def _as_text(made: ImportedVotes) -> str:
    lines = [f"{each.id}  {each.votes} votes  {each.name}" for each in made.rounds]
    return "\n".join([*vote_import.sentences(made.seen), *lines])


votes = AliasGroup("votes", help="Another spelling of `rating` for votes of a file.")
votes.aliases = {"add": add}
