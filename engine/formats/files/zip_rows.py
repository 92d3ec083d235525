"""A ZIP archive of data files -> the rows of all of them, one file after the other."""

import zipfile
from collections.abc import Callable
from pathlib import PurePosixPath

from engine.core.errors import UserError
from engine.core.parsed import BrokenRow
from engine.formats.files.archive import content, opened
from engine.formats.files.loaded_file import MAX_FILE, LoadedFile

TABLES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".xlsx")
DATA = "JSONL, JSON, CSV, TSV, Parquet, Excel or text"


def zip_rows(data: bytes, read: Callable[[bytes, str], LoadedFile]) -> LoadedFile:
    """The rows of the data files inside, read with `read(bytes, name)`; numbers count on.

    Names serve to know a data file and to speak of it, never as a path. Text files count only
    where there is nothing else: beside tables they are a licence or a note.
    """
    archive = opened(data)
    entries = [entry for entry in archive.infolist() if not _hidden(entry)]
    chosen = [entry for entry in entries if _suffix(entry) in TABLES]
    chosen = chosen or [entry for entry in entries if _suffix(entry) == ".txt"]
    if not chosen:
        raise UserError("The ZIP archive holds no data file.", f"Pack {DATA} files.")
    budget, parts = MAX_FILE, []
    for entry in chosen:
        whole = content(archive, entry, budget)
        budget -= len(whole)
        parts.append((_shown(entry), _read(whole, _shown(entry), read)))
    return _joined(parts, len(entries) - len(chosen))


def _read(data: bytes, name: str, read: Callable[[bytes, str], LoadedFile]) -> LoadedFile:
    try:
        return read(data, name)
    except UserError as error:
        raise UserError(f"In {name}: {error.problem}", error.fix) from None


def _joined(parts: list[tuple[str, LoadedFile]], passed_over: int) -> LoadedFile:
    rows, broken, notes = [], [], []
    last = 0
    for name, found in parts:
        rows += [(last + number, row) for number, row in found.rows]
        broken += [
            BrokenRow(last + flaw.row, f"{flaw.reason} (in {name})") for flaw in found.broken
        ]
        notes += [f"{name}: {note}" for note in found.notes]
        last = max([last, *(n for n, _ in rows[-1:]), *(flaw.row for flaw in broken[-1:])])
    if passed_over:
        what = "entry is no data file" if passed_over == 1 else "entries are no data files"
        notes.append(f"Of the archive {passed_over:,} {what}: not read.")
    encodings = [found.encoding for _, found in parts]
    encoding = "cp1252" if "cp1252" in encodings else encodings[0]
    counts = tuple((name, len(found.rows)) for name, found in parts)
    return LoadedFile(rows, broken, encoding, tuple(notes), counts)


def _hidden(entry: zipfile.ZipInfo) -> bool:
    parts = PurePosixPath(entry.filename).parts
    if not entry.filename:
        return True
    marked = any(part.startswith((".", "__MACOSX")) for part in parts if part != "..")
    return marked or entry.is_dir()


def _suffix(entry: zipfile.ZipInfo) -> str:
    return PurePosixPath(entry.filename.lower().removesuffix(".gz")).suffix


def _shown(entry: zipfile.ZipInfo) -> str:
    name = PurePosixPath(entry.filename).name[-60:]
    return "".join(mark if mark.isprintable() else "?" for mark in name)
