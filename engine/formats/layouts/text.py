"""Plain text to go on with: rows of {text}, or the paragraphs of a text file."""

from engine.core.examples import Kind, Text
from engine.core.parsed_file import FileRow
from engine.formats.turns import place, share, text

TITLE = "Text"
KIND: Kind = "text"
SUMMARY = "text (alone, or beside id, source, url, title, timestamp)"
COLUMNS = frozenset({"text", "group"})

# any other column beside the text may be the answer (label, category, intent): not ours to guess
BESIDE = COLUMNS | {"id", "source", "url", "title", "timestamp", "meta", "metadata"}


def sniff(rows: list[FileRow]) -> float:
    """The share of rows that have a text and nothing else to learn."""
    return share(rows, lambda row: "text" in row and row.keys() <= BESIDE)


def read(row: FileRow, number: int) -> Text:
    """The text as it stands."""
    return Text(text=text(row, "text"), **place(row, number))
