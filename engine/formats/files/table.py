"""CSV, TSV and their kin -> numbered rows."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from engine.core.errors import UserError
from engine.core.parsed_file import BrokenRow
from engine.formats.files.loaded_file import MAX_FIELD, FirstLine, LoadedFile, NumberedRow

MOST_COLUMNS = 4096
DELIMITERS = ",\t;|"
HEAD = 65536  # characters looked at to find the delimiter
SAVE_AGAIN = "Save it again as CSV with every field that holds a quote or line break in quotes."
UNCLOSED = f"has a field that never ends or is over {MAX_FIELD:,} characters"
UNQUOTED = "The file is not quoted consistently: every line was read as one row, quotes kept."


class _Record(NamedTuple):
    """The fields of the record that starts at a line, or why there are none, and its lines."""

    fields: list[str]
    lines: int
    flaw: str = ""


def is_table(text: str, known: frozenset[str]) -> bool:
    """Whether the first line is a header of at least two columns, one of which a layout reads."""
    names = _names(_head(text, _delimiter(text))[0])
    return len(names) > 1 and not known.isdisjoint(names)


def is_regular(text: str) -> bool:
    """Whether at least three lines all have as many cells as the first, two or more."""
    records = _head(text, _delimiter(text))
    width = len(records[0])
    return width > 1 and len(records) > 2 and all(len(record) == width for record in records)


def table(text: str) -> LoadedFile:
    """The rows below the header, every cell a text; row 1 is the header.

    A line that breaks the quoting is a broken row, and reading goes on with the next one. A
    tab-separated file whose quotes are part of its texts is read without quoting.
    """
    delimiter = _delimiter(text)
    lines = list(io.StringIO(text, newline=""))
    start = next((n for n, line in enumerate(lines) if line.strip("\r\n")), 0)
    first = _parse(lines, start, delimiter)
    if first.flaw:
        raise UserError(f"Row 1 (line {start + 1}) {first.flaw}.", SAVE_AGAIN)
    names = header(first.fields)
    reader = _Reader(lines, delimiter, len(names))
    notes: tuple[str, ...] = ()
    if delimiter == "\t" and reader.is_unquoted(start):
        records: Iterator[list[str] | str] = (reader.plain(n) for n in range(start + 1, len(lines)))
        notes = (UNQUOTED,)
    else:
        records = reader.records(start + first.lines)
    numbered = enumerate(records, 2)
    read = [_row(names, number, record) for number, record in numbered if any(record)]
    return LoadedFile(
        [row for row in read if not isinstance(row, BrokenRow)],
        [row for row in read if isinstance(row, BrokenRow)],
        notes=notes,
        headers=(FirstLine(1, tuple(cell for cell in first.fields if cell.strip())),),
    )


class _Reader:
    """The records of a table whose header is `width` wide.

    Lines are read a bounded number of times, however many quotes are left open.
    """

    def __init__(self, lines: list[str], delimiter: str, width: int) -> None:
        csv.field_size_limit(MAX_FIELD)  # the csv module knows no limit of one reader's own
        self.lines, self.delimiter, self.width = lines, delimiter, width
        self.again = 8 * len(lines) + 10_000  # lines that may be read once more
        mark = re.escape(delimiter)
        field = rf'(?:"(?:[^"]++|"")*+"|[^"{mark}]*+)'
        self.quoted = re.compile(rf"{field}(?:{mark}{field})*+")

    def plain(self, line: int) -> list[str]:
        """The fields of a line, quotes kept."""
        text = self.lines[line].rstrip("\r\n")
        return text.split(self.delimiter) if text else []

    def is_unquoted(self, start: int) -> bool:
        """Whether every line is as wide as the header and more quotes break CSV than keep to it."""
        kept = broken = 0
        for n in range(start, len(self.lines)):
            fields = self.plain(n)
            if fields and len(fields) != self.width:
                return False
            if '"' in self.lines[n]:
                sound = self.quoted.fullmatch(self.lines[n].rstrip("\r\n"))
                kept, broken = (kept + 1, broken) if sound else (kept, broken + 1)
        return broken > kept

    def records(self, start: int) -> Iterator[list[str] | str]:
        """The fields of each record, or the reason why a line gives none."""
        at = start
        keeps_quoting: bool | None = None
        while at < len(self.lines):
            record = self._parse(at)
            if record.lines == 1 or not (record.flaw or self._is_swallowed(at, record)):
                yield record.flaw or record.fields
                at += record.lines
                continue
            if record.flaw or len(record.fields) != self.width:
                self.again -= record.lines
                yield record.flaw or UNCLOSED
                at += 1
                continue
            if keeps_quoting is None:
                keeps_quoting = self._keeps_quoting(start)
            if keeps_quoting or self._quotes(at, record.lines) > 2:  # another field is quoted
                yield record.fields
            else:
                yield from (self.plain(n) for n in range(at, at + record.lines))
            at += record.lines

    def _parse(self, at: int) -> _Record:
        """The record from a line on; of one line only once too many were read again."""
        if self.again > 0:
            return _parse(self.lines, at, self.delimiter)
        return _parse(self.lines[at : at + 1], 0, self.delimiter)

    def _is_swallowed(self, at: int, record: _Record) -> bool:
        """Whether a quote that was never closed may have joined these lines.

        A record of the right width is doubtful where each of its lines has that width, one of
        another width where any line but its first could be a row.
        """
        wide = [len(self.plain(n)) == self.width for n in range(at, at + record.lines)]
        return all(wide) if len(record.fields) == self.width else any(wide[1:])

    def _keeps_quoting(self, start: int) -> bool:
        """Whether a record shows quotes that a program wrote: around a delimiter or line break."""
        at = start
        while at < len(self.lines):
            record = self._parse(at)
            if not record.flaw and len(record.fields) == self.width:
                wide = all(len(self.plain(n)) == self.width for n in range(at, at + record.lines))
                if not wide:
                    return True
            at += 1 if record.flaw else record.lines
            self.again -= record.lines
        return False

    def _quotes(self, at: int, lines: int) -> int:
        return sum(self.lines[n].count('"') for n in range(at, at + lines))


def _parse(lines: list[str], at: int, delimiter: str) -> _Record:
    csv.field_size_limit(MAX_FIELD)
    reader = csv.reader(_from(lines, at), delimiter=delimiter, strict=True)
    try:
        return _Record(next(reader, []), max(1, reader.line_num))
    except csv.Error as error:
        lasting = "field limit" in str(error) or "end of data" in str(error)
        flaw = UNCLOSED if lasting else f"is not valid CSV: {error}"
        return _Record([], max(1, reader.line_num), flaw)


def _from(lines: list[str], at: int) -> Iterator[str]:
    for n in range(at, len(lines)):
        yield lines[n]


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


def _row(names: list[str], number: int, record: list[str] | str) -> NumberedRow | BrokenRow:
    if isinstance(record, str):
        return BrokenRow(number, record)
    if len(record) != len(names):
        return BrokenRow(number, f"has {len(record)} fields where the header has {len(names)}")
    # a column without a name is a row counter that some tools write
    return number, {name: cell for name, cell in zip(names, record, strict=True) if name}


def _delimiter(text: str) -> str:
    """The delimiter with which most records are as wide as the header, then the widest."""
    return max(DELIMITERS, key=lambda mark: _fit(text, mark))


def _fit(text: str, mark: str) -> tuple[float, int]:
    found = _share(_head(text, mark))
    if mark != "\t":
        return found
    lines = text[:HEAD].splitlines()[:20]  # tabs are seldom written inside of texts
    return max(found, _share([line.split(mark) for line in lines] or [[""]]))


def _share(records: list[list[str]]) -> tuple[float, int]:
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
