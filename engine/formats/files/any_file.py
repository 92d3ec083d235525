"""Any file -> numbered rows, by what is in it rather than by its name."""

import gzip
import io
import zlib
from pathlib import Path, PurePath
from typing import Any

from engine.core.errors import NotFound, UserError
from engine.core.parsed_file import BrokenRow, FileRow
from engine.formats.files import archive
from engine.formats.files.decode import decode
from engine.formats.files.json_rows import ONE_ROW_A_LINE, is_json, json_rows
from engine.formats.files.loaded_file import MAX_FIELD, MAX_FILE, LoadedFile, NumberedRow
from engine.formats.files.parquet import MAGIC, parquet_rows
from engine.formats.files.table import is_regular, is_table, table
from engine.formats.files.xlsx import is_xlsx, xlsx_rows
from engine.formats.files.zip_rows import zip_rows

TEXTS = (".txt", ".text", ".md", ".json", ".jsonl", ".ndjson")
KINDS = "Give JSONL, JSON, CSV, TSV, Excel (.xlsx), Parquet, plain text, or a ZIP of these."
GZIP = b"\x1f\x8b"
FOREIGN = {
    b"%PDF": "The file is a PDF.",
    b"\xd0\xcf\x11\xe0": "The file is an old Office document.",
    b"SQLite format 3": "The file is a database.",
    b"ARROW1": "The file is an Arrow file.",
}


def rows_of(path: Path, name: str, known: frozenset[str], sheet: str | None = None) -> LoadedFile:
    """The rows of the file, each sound or reported as broken; `known` are the layouts' columns.

    Of a workbook those of `sheet`, or of the first one that is filled. Fields that are null are
    left out. UserError when the file as a whole cannot be read.
    """
    if not path.is_file():
        raise NotFound(f"There is no file {name!r}.", "Check the path.")
    if path.stat().st_size > MAX_FILE:
        raise _too_large()
    return rows_in(path.read_bytes(), name, known, sheet)


def rows_in(data: bytes, name: str, known: frozenset[str], sheet: str | None = None) -> LoadedFile:
    """The same of a file's bytes."""
    data, name = _unpacked(data, name)
    if not data.startswith(archive.MAGIC):
        if sheet is not None:
            raise UserError(f"{name} has no sheets: it is no Excel workbook.", "Name no sheet.")
        return _sound(_plain(data, name, known))
    if is_xlsx(archive.opened(data)):
        return _sound(xlsx_rows(data, sheet))
    _refuse_documents(data)
    return zip_rows(data, lambda inner, inner_name: _inside(inner, inner_name, known, sheet))


def _inside(data: bytes, name: str, known: frozenset[str], sheet: str | None) -> LoadedFile:
    """A file of an archive, which may be packed itself but hold no further archive."""
    data, name = _unpacked(data, name)
    if data.startswith(archive.MAGIC):
        if not is_xlsx(archive.opened(data)):
            raise UserError("It is an archive itself.", "Unpack it first.")
        return _sound(xlsx_rows(data, sheet))
    return _sound(_plain(data, name, known))


def _refuse_documents(data: bytes) -> None:
    names = archive.opened(data).namelist()
    if "[Content_Types].xml" in names or "mimetype" in names:
        raise UserError("The file is an Office document.", KINDS)


def _plain(data: bytes, name: str, known: frozenset[str]) -> LoadedFile:
    for start, what in FOREIGN.items():
        if data.startswith(start):
            raise UserError(what, KINDS)
    if not data.strip():
        raise UserError("The file is empty.", "Upload a file with at least one row.")
    return parquet_rows(data) if data.startswith(MAGIC) else _text_rows(data, name, known)


def _sound(found: LoadedFile) -> LoadedFile:
    """The same without the rows whose texts cannot be kept."""
    flaws = [BrokenRow(n, flaw) for n, row in found.rows if (flaw := _flaw(row))]
    bad = {flaw.row for flaw in flaws}
    rows = [
        (n, {key: value for key, value in row.items() if value is not None})
        for n, row in found.rows
        if n not in bad
    ]
    return found._replace(rows=rows, broken=sorted([*found.broken, *flaws]))


def _unpacked(data: bytes, name: str) -> tuple[bytes, str]:
    """All members of a gzip file, never more than MAX_FILE bytes of them, and what it is called.

    Where the name tells no kind of file, the one that gzip stored does. Other data stay as they
    are.
    """
    if not data.startswith(GZIP):
        return data, name
    inner = name[:-3] if name.lower().endswith(".gz") else name
    inner = inner if PurePath(inner).suffix else _stored_name(data) or inner
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            unpacked = file.read(MAX_FILE + 1)
    except EOFError:
        raise UserError("The gzip file is incomplete.", "Upload the whole file.") from None
    except (gzip.BadGzipFile, zlib.error):
        raise UserError("The gzip file is damaged.", "Pack it again.") from None
    if len(unpacked) > MAX_FILE:
        raise _too_large()
    return unpacked, inner


def _stored_name(data: bytes) -> str:
    """The name in the head of a gzip file, empty where there is none (RFC 1952)."""
    if not data[3:4] or data[3] & 0b1100 != 0b1000:  # no name, or something else before it
        return ""
    return data[10:266].partition(b"\0")[0].decode("latin-1")


def _too_large() -> UserError:
    return UserError(f"The file is larger than {MAX_FILE // 1024**2} MiB.", "Split it.")


def _text_rows(data: bytes, name: str, known: frozenset[str]) -> LoadedFile:
    suffix = PurePath(name.lower().removesuffix(".gz")).suffix
    if suffix == ".parquet":
        raise UserError("The file is named .parquet but is not a Parquet file.", KINDS)
    text, encoding = decode(data)
    if not text.strip():
        raise UserError("The file is empty.", "Upload a file with at least one row.")
    return _by_content(text, suffix, known)._replace(encoding=encoding)


def _by_content(text: str, suffix: str, known: frozenset[str]) -> LoadedFile:
    if is_json(text):
        return json_rows(text, known)
    if suffix in (".csv", ".tsv") or is_table(text, known):
        return table(text)
    if suffix not in TEXTS and is_regular(text):
        return table(text)
    if suffix in (".json", ".jsonl", ".ndjson"):
        raise UserError("Line 1 is not JSON.", ONE_ROW_A_LINE)
    return LoadedFile(_paragraphs(text), [])


def _paragraphs(text: str) -> list[NumberedRow]:
    """The blocks between empty lines, each with the number of its first line."""
    blocks: list[tuple[int, list[str]]] = []
    open_block = False
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        if not line.strip():
            open_block = False
        elif open_block:
            blocks[-1][1].append(line)
        else:
            blocks.append((number, [line]))
            open_block = True
    return [(number, {"text": "\n".join(lines)}) for number, lines in blocks]


def _flaw(row: FileRow) -> str | None:
    """Why the row cannot be kept: a text in it that no database or file can store."""
    waiting: list[Any] = [row]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting.extend([*value, *value.values()])
        elif isinstance(value, list | tuple):
            waiting.extend(value)
        elif isinstance(value, str) and (flaw := _text_flaw(value)):
            return flaw
    return None


def _text_flaw(text: str) -> str | None:
    if len(text) > MAX_FIELD:
        return f"has a text of {len(text):,} characters; the limit is {MAX_FIELD:,}"
    if "\0" in text:
        return "holds a NUL character"
    if not text.isascii() and any("\ud800" <= mark <= "\udfff" for mark in text):
        return "holds bytes or escapes that are not valid Unicode"
    return None
