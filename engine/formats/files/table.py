"""CSV, TSV and their kin -> numbered rows."""

import csv
import io
from collections import Counter
from collections.abc import Iterator

from engine.core.errors import UserError
from engine.core.parsed import BrokenRow
from engine.formats.files.loaded_file import MAX_FIELD, LoadedFile, NumberedRow

MOST_COLUMNS = 4096
DELIMITERS = ",\t;|"
HEAD = 65536  # characters looked at to find the delimiter
SAVE_AGAIN = "Save it again as CSV with every field that holds a quote or line break in quotes."


def is_table(text: str, known: frozenset[str]) -> bool:
    """Whether the first line is a header of at least two columns, one of which a layout reads."""
    names = _names(_head(text, _delimiter(text))[0])
    return len(names) > 1 and not known.isdisjoint(names)


def table(text: str) -> LoadedFile:
    """The rows below the header, every cell a text; row 1 is the header."""
    records = _records(text, _delimiter(text))
    names = header(next(records)[1])
    read = [_row(names, *record) for record in records if any(record[1])]
    return LoadedFile(
        [row for row in read if not isinstance(row, BrokenRow)],
        [row for row in read if isinstance(row, BrokenRow)],
    )


def _records(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    csv.field_size_limit(MAX_FIELD)  # the csv module knows no limit of one reader's own
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    number = 0
    try:
        for number, record in enumerate(reader, 1):
            yield number, record
    except csv.Error as error:
        where = f"Row {number + 1} (line {reader.line_num})"
        if "field limit" in str(error) or "end of data" in str(error):
            problem = f"{where} has a field that never ends or is over {MAX_FIELD:,} characters."
            raise UserError(problem, "Look for a quote that is opened and not closed.") from None
        raise UserError(f"{where} is not valid CSV: {error}.", SAVE_AGAIN) from None


def header(record: list[str]) -> list[str]:
    """The names of the columns; UserError when one occurs twice."""
    names = _names(record)
    if len(names) > MOST_COLUMNS:
        raise UserError(
            f"The header names {len(names):,} columns; the limit is {MOST_COLUMNS:,}.",
            "Keep the columns that are needed.",
        )
    twice = sorted(name for name, times in Counter(names).items() if name and times > 1)
    if twice:
        raise UserError(f"The header names the column {twice[0]!r} twice.", "Rename one of them.")
    return names


def _names(record: list[str]) -> list[str]:
    return [name.strip().lower() for name in record]


def _row(names: list[str], number: int, record: list[str]) -> NumberedRow | BrokenRow:
    if len(record) != len(names):
        return BrokenRow(number, f"has {len(record)} fields where the header has {len(names)}")
    # a column without a name is a row counter that some tools write
    return number, {name: cell for name, cell in zip(names, record, strict=True) if name}


def _delimiter(text: str) -> str:
    """The delimiter with which most records are as wide as the header, then the widest."""
    return max(DELIMITERS, key=lambda mark: _fit(_head(text, mark)))


def _fit(records: list[list[str]]) -> tuple[float, int]:
    width = len(records[0])
    if width < 2:
        return (0.0, 0)
    return sum(len(record) == width for record in records) / len(records), width


def _head(text: str, delimiter: str) -> list[list[str]]:
    """The first 20 records; the last one is dropped where the head cuts it."""
    head = text[:HEAD]
    reader = csv.reader(io.StringIO(head, newline=""), delimiter=delimiter)
    records = []
    try:
        for record in reader:
            records.append(record)
            if len(records) == 20:
                break
    except csv.Error:
        return records or [[head]]
    cut = len(text) > HEAD and 1 < len(records) < 20
    return (records[:-1] if cut else records) or [[head]]
