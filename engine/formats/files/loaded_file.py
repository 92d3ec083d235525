"""What the loaders of file types hand on: rows with their numbers, and what could not be read."""

from typing import NamedTuple

from engine.core.parsed import BrokenRow, FileRow

NumberedRow = tuple[int, FileRow]

MAX_FIELD = 1_000_000  # characters; 250 times what a small model can see
MAX_FILE = 512 * 1024**2  # bytes, also after unpacking: everything is held in memory
MAX_ROWS = 2_000_000


class LoadedFile(NamedTuple):
    """Rows and broken rows, each in the order of the file."""

    rows: list[NumberedRow]
    broken: list[BrokenRow]
    encoding: str = "utf-8"
    notes: tuple[str, ...] = ()  # what was passed over, as a sentence each
    parts: tuple[tuple[str, int], ...] = ()  # the files of an archive: name, and its sound rows
    header: tuple[str, ...] = ()  # the first line of a table as written, one cell for each column
