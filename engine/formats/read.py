"""A file -> examples of one kind, through the layout that fits it best."""

from pathlib import Path
from typing import Any

from engine import plugins
from engine.core.errors import RowError, UserError
from engine.core.examples import Example
from engine.core.parsed import Broken, Parsed
from engine.formats.files.found import NumberedRow
from engine.formats.files.rows import rows_of

__all__ = ["Broken", "Parsed", "read_file"]

LOOKED_AT = 100  # rows shown to every layout's sniff
SURE = 0.5  # below this no layout is taken


def read_file(path: Path, name: str, layout: str | None = None) -> Parsed:
    """The examples of the file called `name`, with `layout` or the one that its rows show.

    UserError when the file cannot be read, no layout fits, or more than half of the rows are
    broken; fewer broken rows are left out and listed.
    """
    layouts = {known: plugins.load("formats", known) for known in plugins.names("formats")}
    columns = frozenset[str]().union(*(module.COLUMNS for module in layouts.values()))
    found = rows_of(path, name, columns)
    _refuse_when_broken(found.broken, len(found.rows) + len(found.broken))
    chosen = layout or _guess(found.rows, layouts)
    module = plugins.load("formats", chosen)
    examples, refused = _examples(module, found.rows)
    broken = sorted([*found.broken, *refused])
    _refuse_when_broken(broken, len(examples) + len(broken))
    unused = _columns(found.rows, module.COLUMNS)
    return Parsed(chosen, module.KIND, examples, broken, unused, found.encoding)


def _guess(rows: list[NumberedRow], layouts: dict[str, Any]) -> str:
    head = [row for _, row in rows[:LOOKED_AT]]
    scores = {name: module.sniff(head) for name, module in layouts.items()}
    best = max(scores, key=lambda name: scores[name])
    if scores[best] < SURE:
        shapes = "; ".join(f"{name} ({module.SHAPE})" for name, module in layouts.items())
        raise UserError(
            f"No known layout fits the columns found: {_listed(_columns(rows[:LOOKED_AT]))}.",
            f"Rename the columns to those of a known layout: {shapes}.",
        )
    return best


def _examples(module: Any, rows: list[NumberedRow]) -> tuple[list[Example], list[Broken]]:
    examples: list[Example] = []
    refused = []
    for number, row in rows:
        try:
            examples.append(module.read(row, number))
        except RowError as error:
            refused.append(Broken(number, str(error)))
    return examples, refused


def _refuse_when_broken(broken: list[Broken], total: int) -> None:
    if total == 0:
        raise UserError("The file has no rows.", "Upload a file with at least one row.")
    if len(broken) * 2 > total:
        first = broken[0]
        raise UserError(
            f"{len(broken):,} of {total:,} rows cannot be read; row {first.row}: {first.reason}.",
            "Correct the file, or choose another layout.",
        )


def _columns(rows: list[NumberedRow], but: frozenset[str] = frozenset()) -> tuple[str, ...]:
    return tuple(dict.fromkeys(key for _, row in rows for key in row if key not in but))


def _listed(columns: tuple[str, ...]) -> str:
    shown = ", ".join(name[:40] for name in columns[:12])
    return f"{shown} and {len(columns) - 12:,} more" if len(columns) > 12 else shown or "none"
