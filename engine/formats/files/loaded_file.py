"""What the loaders of file types hand on, and how large a file and its unpacked content may be."""

from typing import NamedTuple

from engine.core.dataset import Split
from engine.core.parsed_file import BrokenRow, FileRow

NumberedRow = tuple[int, FileRow]

MAX_FIELD = 1_000_000  # characters; 250 times what a small model can see
MAX_FILE = 512 * 1024**2  # bytes, also after unpacking: everything is held in memory
MAX_ROWS = 2_000_000


class FirstLine(NamedTuple):
    """The first line of a table as written: its row number, and one cell for each column."""

    row: int
    cells: tuple[str, ...]


class LoadedFile(NamedTuple):
    """Rows and broken rows, each in the order of the file.

    `sides` are the sides of the split that an archive's own train and test files stand for: a row
    belongs to the last one that begins at its number or before.
    """

    rows: list[NumberedRow]
    broken: list[BrokenRow]
    encoding: str = "utf-8"
    notes: tuple[str, ...] = ()  # what was passed over, as a sentence each
    parts: tuple[tuple[str, int], ...] = ()  # the files of an archive: name, and its sound rows
    headers: tuple[FirstLine, ...] = ()  # of each table, in the order of their rows
    sheets: tuple[str, ...] = ()  # of a workbook, those that hold something
    sides: tuple[tuple[int, Split], ...] = ()
