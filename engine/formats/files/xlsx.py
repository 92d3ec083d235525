"""Excel -> numbered rows."""

import io
import zipfile
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import openpyxl
from openpyxl.styles.numbers import is_datetime

from engine.core.errors import UserError
from engine.formats.files.archive import opened
from engine.formats.files.loaded_file import MAX_FILE, FirstLine, LoadedFile, NumberedRow
from engine.formats.files.table import header

MOST_COLUMNS = 1000
MOST_EMPTY = 1000  # rows in a run: formatted but empty cells reach down to row 1,048,576
Cells = list[str]


def is_xlsx(archive: zipfile.ZipFile) -> bool:
    """Whether the archive is an Excel workbook."""
    return "xl/workbook.xml" in archive.namelist()


def xlsx_rows(data: bytes, sheet: str | None = None) -> LoadedFile:
    """The rows of a sheet, every cell a text; numbers as Excel shows, days without a time of day.

    Without a name it is the first sheet that holds something. A formula counts as the value that
    was last calculated. UserError when the file is damaged or has no such sheet.
    """
    opened(data)
    try:
        return _rows(data, sheet)
    except UserError:
        raise
    except MemoryError:
        raise UserError(f"The workbook needs more than {MAX_FILE:,} bytes.", "Split it.") from None
    except Exception:  # openpyxl raises whatever a damaged part of the XML leads it into
        raise UserError(
            "The Excel workbook is damaged: it cannot be read.",
            "Save it again as .xlsx, or as CSV.",
        ) from None


def _rows(data: bytes, sheet: str | None) -> LoadedFile:
    book = openpyxl.load_workbook(
        io.BytesIO(data), read_only=True, data_only=True, keep_links=False
    )
    sheets = [(sheet.title, _filled(sheet)) for sheet in book.worksheets]
    filled = [(title, first, rest) for title, rest in sheets if (first := next(rest, None))]
    if not filled:
        raise UserError("The Excel workbook is empty.", "Fill a sheet with a header and rows.")
    titles = [title for title, _, _ in filled]
    place = _place(titles, sheet)
    title, (number, names), rest = filled[place]
    found = list(_named(header(names), rest))
    head = FirstLine(number, tuple(cell for cell in names if cell.strip()))
    notes = _notes(title, titles[:place] + titles[place + 1 :], sheet is not None)
    return LoadedFile(found, [], notes=notes, headers=(head,), sheets=tuple(titles))


def _place(titles: list[str], sheet: str | None) -> int:
    """Where the wanted sheet is, by its name or the first; UserError where there is none."""
    if sheet is None:
        return 0
    wanted = sheet.strip().lower()
    for place, title in enumerate(titles):
        if title.strip().lower() == wanted:
            return place
    raise UserError(f"The workbook has no filled sheet {sheet[:40]!r}.", f"It has {_few(titles)}.")


def _notes(title: str, others: list[str], chosen: bool) -> tuple[str, ...]:
    if not others:
        return ()
    first = "" if chosen else "first "
    return (f"Only the {first}sheet {title[:40]!r} was read, not {_few(others)}.",)


def _few(titles: list[str]) -> str:
    return ", ".join(repr(title[:40]) for title in titles[:5])


def _filled(sheet: Any) -> Iterator[tuple[int, Cells]]:
    """The rows of a sheet that are not empty, with their numbers."""
    sheet.reset_dimensions()  # the stated size may be a lie
    empty = 0
    rows = sheet.iter_rows(max_col=MOST_COLUMNS)
    for number, row in enumerate(rows, 1):
        cells = [_text(cell) for cell in row]
        empty = 0 if any(cells) else empty + 1
        if empty > MOST_EMPTY:
            return
        if not empty:
            yield number, cells


def _named(names: list[str], rows: Iterator[tuple[int, Cells]]) -> Iterator[NumberedRow]:
    for number, cells in rows:
        padded = [*cells, *[""] * (len(names) - len(cells))]
        yield number, {name: cell for name, cell in zip(names, padded, strict=False) if name}


def _text(cell: Any) -> str:
    value = cell.value
    if isinstance(value, datetime) and is_datetime(cell.number_format) == "date":
        value = value.date()  # the file has a day as a point in time, at midnight
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else str(value)
