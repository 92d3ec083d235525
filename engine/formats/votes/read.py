"""A file -> the votes and ratings it holds, by the format that fits its rows best."""

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from engine import plugins
from engine.core.column_mapping import spelling
from engine.core.errors import UserError
from engine.core.imported_votes import GivenRating, GivenVote, SkippedRow, VoteFile, VoteMapping
from engine.core.parsed_file import BrokenRow, FileRow
from engine.formats import isolated
from engine.formats.files.loaded_file import LoadedFile, NumberedRow
from engine.formats.votes.columns import completed

FAMILY = "votes"
TABLE = "table"
LOOKED_AT = 100  # rows shown to every format's sniff
SURE = 0.5
MOST_BYTES = 64 * 1024**2  # everything is held in memory
MOST_ROWS = 1_000_000
SHOWN = 90  # characters of names in a refusal
NOTHING = "a row without a vote or a rating"
Given = GivenVote | GivenRating | SkippedRow | BrokenRow


def read_votes(
    path: Path,
    name: str,
    mapping: VoteMapping | None = None,
    format_name: str | None = None,
) -> VoteFile:
    """The votes of the file called `name`; UserError where nothing in it can be one.

    With a mapping the file is a table; one that makes no vote by itself, such as the two sides
    alone, is completed by the names of the other columns. Rows that are no votes are listed with
    their reasons.
    """
    return understand(load(path, name), name, mapping, format_name)


def load(path: Path, name: str) -> LoadedFile:
    """The rows of the file before anything is made of them."""
    known = frozenset(c for n in plugins.names(FAMILY) for c in plugins.load(FAMILY, n).COLUMNS)
    if path.is_file() and path.stat().st_size > MOST_BYTES:
        raise UserError(f"{name} is larger than {MOST_BYTES // 1024**2} MB.", "Split it.")
    found = isolated.rows_of(path, name, known)
    if len(found.rows) > MOST_ROWS:
        raise UserError(f"{name} has more than {MOST_ROWS:,} rows.", "Split it.")
    return found


def understand(
    found: LoadedFile,
    name: str,
    mapping: VoteMapping | None = None,
    format_name: str | None = None,
) -> VoteFile:
    """What `read_votes` makes of rows that are loaded already."""
    columns = tuple(dict.fromkeys(key for _, row in found.rows for key in row))
    if not found.rows and not found.broken:
        raise UserError(f"{name} holds no vote.", "Add a row for each vote.")
    if not found.rows:
        first = found.broken[0]
        raise UserError(
            f"{name} has no row that can be read; row {first.row} {first.reason[:160]}.",
            "Save it again.",
        )
    if mapping is not None:
        head = [row for _, row in found.rows[:LOOKED_AT]]
        mapping = completed(_spelled(mapping, columns), columns, head)
        chosen = TABLE
    else:
        chosen = format_name or format_of([row for _, row in found.rows])
    if not chosen:
        raise UserError(
            f"{name} has no columns of votes that are known. Found: {_listed(columns)}.",
            "Map the columns: the choice, and the two answers or models.",
        )
    module = plugins.load(FAMILY, chosen)
    if chosen == TABLE and mapping is None:
        mapping = module.guess([row for _, row in found.rows[:LOOKED_AT]])
    given = list(
        module.votes(found.rows, mapping) if mapping is not None else module.votes(found.rows)
    )
    given += _unused(module, found.rows, given)
    broken = [*found.broken, *(one for one in given if isinstance(one, BrokenRow))]
    return VoteFile(
        format=chosen,
        votes=[one for one in given if isinstance(one, GivenVote)],
        ratings=[one for one in given if isinstance(one, GivenRating)],
        skipped=[one for one in given if isinstance(one, SkippedRow)],
        broken=sorted(broken, key=lambda one: one.row),
        rows=len(found.rows) + len(found.broken),
        columns=columns,
        mapping=mapping if chosen == TABLE else None,
        notes=found.notes,
    )


def _unused(module: ModuleType, rows: Sequence[NumberedRow], given: list[Given]) -> list[Given]:
    """The rows that nothing was made of, but for those that give the texts of others."""
    used = {one.row for one in given}
    used |= {one.second_row for one in given if isinstance(one, GivenVote) and one.second_row}
    of_texts = getattr(module, "gives_texts", None)
    return [
        SkippedRow(number, NOTHING)
        for number, row in rows
        if number not in used and not (of_texts and of_texts(row))
    ]


def format_of(rows: Sequence[FileRow]) -> str:
    """The format that fits the rows best; empty where none does."""
    head = list(rows[:LOOKED_AT])
    scores = {name: plugins.load(FAMILY, name).sniff(head) for name in plugins.names(FAMILY)}
    best = max(scores, key=lambda name: scores[name])
    return best if scores[best] >= SURE else ""


def _spelled(mapping: VoteMapping, columns: Sequence[str]) -> VoteMapping:
    spelled = {role: spelling(column, columns) for role, column in mapping.columns.items()}
    return mapping.model_copy(update={"columns": spelled})


def _listed(columns: Sequence[str]) -> str:
    shown = ", ".join(name[:40] for name in columns)
    return f"{shown[:SHOWN]} …" if len(shown) > SHOWN else shown or "none"
