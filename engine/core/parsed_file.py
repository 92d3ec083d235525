"""A parsed file: its examples, its numbered rows, and the broken rows with their reasons."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from engine.core.examples import Example, Kind

# A row as the file holds it, before any layout has read it: column -> whatever JSON can say.
FileRow = dict[str, Any]


class BrokenRow(NamedTuple):
    """A row left out: its number in the file and a reason that completes "row 7: ..."."""

    row: int
    reason: str


class ParsedFile(NamedTuple):
    """`examples` and `broken` in the order of the file; together they are all its rows.

    Row numbers count from 1: lines of JSONL and text, items of a JSON array, rows of Parquet,
    records of CSV where the header is row 1, as a spreadsheet shows them. Through the files of an
    archive they count on.
    """

    layout: str
    kind: Kind
    examples: Sequence[Example]
    broken: list[BrokenRow]
    unused: tuple[str, ...] = ()  # columns that the layout does not read
    encoding: str = "utf-8"
    notes: tuple[str, ...] = ()  # what was passed over, as a sentence each
