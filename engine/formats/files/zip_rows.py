"""A ZIP archive of data files -> the rows of all of them, one file after the other."""

import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath

from engine.core.dataset import Split
from engine.core.errors import UserError
from engine.core.parsed_file import BrokenRow
from engine.formats.files.archive import content, opened
from engine.formats.files.loaded_file import MAX_FILE, FirstLine, LoadedFile, NumberedRow
from engine.formats.files.split_names import sides_of

TABLES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".xlsx")
BESIDE = frozenset({"readme", "license", "licence", "copying", "notice", "changelog", "makefile"})
DATA = "JSONL, JSON, CSV, TSV, Parquet, Excel or text"
LONGEST_NAME = 60


def zip_rows(data: bytes, read: Callable[[bytes, str], LoadedFile]) -> LoadedFile:
    """The rows of the data files inside, read with `read(bytes, name)`; numbers count on.

    Names serve to know a data file, a side of a split, and to speak of it, never as a path. Files
    without an ending count where none has one of a table, text files only where there is nothing
    else: beside tables they are a licence or a note.
    """
    archive = opened(data)
    entries = [entry for entry in archive.infolist() if not _hidden(entry)]
    chosen = _chosen(entries)
    if not chosen:
        raise UserError("The ZIP archive holds no data file.", f"Pack {DATA} files.")
    budget, parts = MAX_FILE, []
    for entry, name in zip(chosen, _names(chosen), strict=True):
        whole = content(archive, entry, budget)
        budget -= len(whole)
        parts.append((name, _read(whole, name, read)))
    sides = sides_of([entry.filename for entry in chosen])
    return _joined(parts, len(entries) - len(chosen), sides)


def _chosen(entries: Sequence[zipfile.ZipInfo]) -> list[zipfile.ZipInfo]:
    for endings in (TABLES, ("",), (".txt",)):
        found = [entry for entry in entries if _suffix(entry) in endings]
        found = [entry for entry in found if _stem(entry) not in BESIDE]
        if found:
            return found
    return []


def _read(data: bytes, name: str, read: Callable[[bytes, str], LoadedFile]) -> LoadedFile:
    try:
        return read(data, name)
    except UserError as error:
        raise UserError(f"In {name}: {error.problem}", error.fix) from None


def _joined(
    parts: list[tuple[str, LoadedFile]], passed_over: int, sides: list[Split] | None
) -> LoadedFile:
    rows: list[NumberedRow] = []
    broken: list[BrokenRow] = []
    headers: list[FirstLine] = []
    notes: list[str] = []
    starts: list[tuple[int, Split]] = []
    last = 0
    for place, (name, found) in enumerate(parts):
        if sides:
            starts.append((last + 1, sides[place]))
        rows += [(last + number, row) for number, row in found.rows]
        headers += [FirstLine(last + first.row, first.cells) for first in found.headers]
        broken += [
            BrokenRow(last + flaw.row, f"{flaw.reason} (in {name})") for flaw in found.broken
        ]
        notes += [f"{name}: {note}" for note in found.notes]
        ends = (
            [n for n, _ in rows[-1:]] + [n for n, _ in broken[-1:]] + [n for n, _ in headers[-1:]]
        )
        last = max([last, *ends])
    if passed_over:
        what = "entry is no data file" if passed_over == 1 else "entries are no data files"
        notes.append(f"Of the archive {passed_over:,} {what}: not read.")
    encodings = [found.encoding for _, found in parts]
    return LoadedFile(
        rows,
        broken,
        "cp1252" if "cp1252" in encodings else encodings[0],
        tuple(notes),
        tuple((name, len(found.rows)) for name, found in parts),
        tuple(headers) if all(found.headers for _, found in parts) else (),
        sides=tuple(starts),
    )


def _hidden(entry: zipfile.ZipInfo) -> bool:
    parts = PurePosixPath(entry.filename).parts
    if not entry.filename:
        return True
    marked = any(part.startswith((".", "__MACOSX")) for part in parts if part != "..")
    return marked or entry.is_dir()


def _suffix(entry: zipfile.ZipInfo) -> str:
    return PurePosixPath(entry.filename.lower().removesuffix(".gz")).suffix


def _stem(entry: zipfile.ZipInfo) -> str:
    return PurePosixPath(entry.filename.lower()).stem


def _names(entries: Sequence[zipfile.ZipInfo]) -> list[str]:
    """What the entries are called in sentences: each once, short and printable."""
    short = [_printable(PurePosixPath(entry.filename).name) for entry in entries]
    times = Counter(short)
    whole = [
        name if times[name] == 1 else _printable(entry.filename)
        for name, entry in zip(short, entries, strict=True)
    ]
    seen: Counter[str] = Counter()
    names = []
    for name in whole:
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return names


def _printable(name: str) -> str:
    return "".join(mark if mark.isprintable() else "?" for mark in name[-LONGEST_NAME:])
