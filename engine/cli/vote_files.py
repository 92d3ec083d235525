"""Votes from a file, as the statistics of `tuneloop rating` take them: every row, or an error."""

from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import click

from engine.core.errors import NotFound, UserError
from engine.core.imported_votes import GivenVote, VoteFile, VoteMapping, vote_mapping
from engine.core.parsed_file import FileRow
from engine.core.rating import Choice
from engine.formats.files.loaded_file import LoadedFile
from engine.formats.votes.read import load, understand
from engine.stats.rated_pairs import RatedPair

F = TypeVar("F", bound=Callable[..., Any])
UNNAMED = "unnamed rater"
OTHER: dict[Choice, Choice] = {
    "left": "right", "right": "left", "tie": "tie", "both_bad": "both_bad",
}  # fmt: skip
SIDES_UNKNOWN = (
    "If model A stood on the left, say so: --map left_model=COLUMN --map right_model=COLUMN."
)


def map_options(command: F) -> F:
    """--map and --choice: the columns of a file of votes, and what its words mean."""
    command = click.option(
        "--choice", "choices", multiple=True, metavar="WORD=CHOICE",
        help="What a word of the file means, such as --choice '5=b is clearly better'.",
    )(command)  # fmt: skip
    return click.option(
        "--map", "columns", multiple=True, metavar="ROLE=COLUMN",
        help="Map a column to a role, such as --map choice=gewinner --map left_model=links.",
    )(command)  # fmt: skip


def mapping_of(columns: Sequence[str], choices: Sequence[str]) -> VoteMapping | None:
    """The mapping of --map and --choice; None where no column is named."""
    if not columns and choices:
        raise UserError("--choice needs the columns of the file.", "Name them with --map.")
    return vote_mapping(_pairs(columns), _pairs(choices)) if columns else None


def _pairs(given: Sequence[str]) -> dict[str, str]:
    found = {}
    for each in given:
        name, sign, value = each.partition("=")
        if not (sign and name.strip() and value.strip()):
            raise UserError(f"{each[:60]!r} is no NAME=VALUE.", "Write it such as choice=winner.")
        found[name.strip()] = value.strip()
    return found


def open_file(path: Path) -> LoadedFile:
    """The rows of the file; NotFound without it, UserError where it can't be read."""
    if path.is_dir():
        raise UserError(f"{path} is a folder.", "Name a file.")
    if not path.is_file():
        raise NotFound(f"There is no file {path}.", "Check the name.")
    return load(path, path.name)


def columns(found: LoadedFile) -> set[str]:
    """The names of the columns, also of a table without rows."""
    cells = [cell for first in found.headers for cell in first.cells]
    return {*(key for _, row in found.rows for key in row), *map(_plain, cells)}


def rows(path: Path, found: LoadedFile) -> list[tuple[int, FileRow]]:
    """The rows with their numbers; UserError names the first that can't be read."""
    if found.broken:
        raise UserError(_where(path, found.broken[0].row, found.broken[0].reason), "Correct it.")
    return found.rows


def read(path: Path, mapping: VoteMapping | None = None) -> VoteFile:
    """The votes of a file, in its order; UserError names the row that is not a vote."""
    return votes_in(path, open_file(path), mapping)


def votes_in(path: Path, found: LoadedFile, mapping: VoteMapping | None = None) -> VoteFile:
    """The same of a file that is loaded already."""
    if not found.rows and not found.broken and found.headers:
        raise UserError(f"{path.name} holds no vote.", "Add a row for each vote.")
    read_file = understand(found, path.name, mapping)
    if read_file.broken:
        first = read_file.broken[0]
        raise UserError(_where(path, first.row, first.reason), "Correct it, or leave it out.")
    if not read_file.votes:
        raise UserError(
            f"{path.name} compares no two answers.", "Give votes on two answers or models."
        )
    if any(not (vote.first.model and vote.second.model) for vote in read_file.votes):
        raise UserError(
            f"{path.name} names no models.", "Map a column to model_a and one to model_b."
        )
    return read_file


def rated(found: VoteFile) -> list[RatedPair]:
    """The votes as statistics take them.

    Where the file does not state the sides a hash deals them out, so nothing is said of them.
    """
    sides = found.sides  # of the whole file: asked once, not for each vote
    return [_rated(vote if sides else _dealt(vote)) for vote in found.votes]


def refuse_unstated_sides(path: Path, found: VoteFile) -> None:
    """UserError for a file that does not say which answer stood left."""
    if not found.sides:
        raise UserError(
            f"{path.name} does not say which answer stood on the left, so it is not known to be "
            "blind and gives no verdict.",
            SIDES_UNKNOWN,
        )


def _dealt(vote: GivenVote) -> GivenVote:
    models = sorted((vote.first.model, vote.second.model))
    drawn = sha256("\0".join([vote.item, vote.rater, *models]).encode()).digest()[0] % 2 == 0
    if (vote.first.model == models[0]) == drawn:
        return vote
    return vote._replace(
        first=vote.second,
        second=vote.first,
        choice=OTHER[vote.choice],
        expected=OTHER[vote.expected] if vote.expected else None,
    )


def _rated(vote: GivenVote) -> RatedPair:
    return RatedPair(
        prompt=vote.item,
        rater=vote.rater or UNNAMED,
        left=vote.first.model,
        right=vote.second.model,
        choice=vote.choice,
        left_len=_length(vote.first.length, vote.first.text),
        right_len=_length(vote.second.length, vote.second.text),
        expected=vote.expected,
    )


def _length(stated: float | None, text: str | None) -> float | None:
    return len(text) if stated is None and text is not None else stated


def _where(path: Path, row: int, reason: str) -> str:
    return f"Row {row} of {path.name} {reason}."


def _plain(name: str) -> str:
    return name.strip().lower()
