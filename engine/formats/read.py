"""A file -> examples of one kind, through the layout that fits it best or a mapping of columns."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from types import ModuleType

from engine import plugins
from engine.core.column_mapping import ColumnMapping, checked, spelling
from engine.core.errors import RowError, UserError
from engine.core.examples import Example
from engine.core.parsed_file import BrokenRow, FileRow, ParsedFile
from engine.formats import isolated
from engine.formats.files.loaded_file import FirstLine, LoadedFile, NumberedRow
from engine.formats.mapping import examples
from engine.formats.mapping_guess import guess
from engine.formats.unread_keys import unread_keys

__all__ = ["BrokenRow", "ParsedFile", "columns_of", "layout_of", "load", "read_file", "understand"]

LOOKED_AT = 100  # rows shown to every layout's sniff
MAPPED = "mapped"  # what stands for a layout where a mapping was used
UNSPOKEN = frozenset(
    {"label", "rank", "group", "deleted", "message_id", "parent_id", "message_tree_id"}
)  # columns and roles whose numbers are not shown to a model
MEDIA = {
    **dict.fromkeys(("image", "images", "picture", "pictures"), "an image"),
    **dict.fromkeys(("video", "videos"), "a film"),
    **dict.fromkeys(("audio", "audios"), "a sound"),
}
LISTED = 90  # characters of the names of columns in a refusal
SURE = 0.5  # below this no layout is taken
Keep = Callable[[Iterable[Example]], Sequence[Example]]


def read_file(
    path: Path,
    name: str,
    layout: str | None = None,
    mapping: ColumnMapping | None = None,
    group: str | None = None,
    sheet: str | None = None,
) -> ParsedFile:
    """The examples of the file called `name`, by `mapping`, `layout` or what its rows show.

    Rows with equal values in the column `group` stay on one side of a split. UserError when the
    file cannot be read, no layout fits, or more than half of the rows are broken; fewer broken
    rows are left out and listed.
    """
    return understand(load(path, name, sheet), layout, mapping, group)


def load(path: Path, name: str, sheet: str | None = None) -> LoadedFile:
    """The rows of the file before anything is made of them, of a workbook those of `sheet`."""
    return isolated.rows_of(path, name, known_columns(), sheet)


def known_columns() -> frozenset[str]:
    """The columns that any layout reads."""
    names = plugins.names("formats")
    return frozenset[str]().union(*(plugins.load("formats", name).COLUMNS for name in names))


def understand(
    found: LoadedFile,
    layout: str | None = None,
    mapping: ColumnMapping | None = None,
    group: str | None = None,
    keep: Keep = list,
) -> ParsedFile:
    """What `read_file` makes of rows that are loaded already.

    `keep` takes the examples one by one and gives them back as a sequence: in memory, or on disk.
    """
    _refuse_when_broken(found.broken, len(found.rows) + len(found.broken))
    if mapping is not None and not mapping.header:
        found, mapping, group = _without_header(found, mapping, group)
    if group:
        found = found._replace(rows=_grouped(found, group))
    if mapping is not None:
        return _mapped(found, mapping, group, keep)
    chosen = layout or layout_of(found)
    if not chosen:
        raise UserError(*refusal_of(found, guess([row for _, row in found.rows])))
    module = plugins.load("formats", chosen)
    found = _openable(_texts_only(found), module)
    opened = module.unfold(found.rows) if hasattr(module, "unfold") else found.rows
    refused: list[BrokenRow] = []
    read = keep(_read(module.read, opened, refused))
    note = module.note([row for _, row in found.rows]) if hasattr(module, "note") else ""
    used = module.COLUMNS | {group or ""}
    if hasattr(module, "columns"):
        used |= module.columns([row for _, row in found.rows])
    unused = columns_of(found, used)
    numbers = _numbers([row for _, row in found.rows], module.COLUMNS - UNSPOKEN)
    notes = tuple(filter(None, (*found.notes, note, numbers, *unread_keys(found.rows))))
    broken = sorted([*found.broken, *refused])
    _refuse_when_broken(broken, len(read) + len(broken))
    return ParsedFile(chosen, module.KIND, read, broken, unused, found.encoding, notes)


def layout_of(found: LoadedFile) -> str:
    """The layout that fits the rows best, empty when none does; UserError when parts differ."""
    parts = [(name, _best(rows), rows) for name, rows in _parts(found)]
    if not parts:
        return _best(found.rows)
    first, best, head = parts[0]
    for other, layout, rows in parts:
        if (layout or _names(rows)) != (best or _names(head)):
            raise UserError(
                f"The archive holds files of different layouts, such as {first} and {other}.",
                "Upload them one by one, or map the columns if their first line is a row.",
            )
    return best


def columns_of(found: LoadedFile, but: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """The columns of the rows in their order, without those named."""
    return tuple(dict.fromkeys(key for _, row in found.rows for key in row if key not in but))


def _mapped(found: LoadedFile, mapping: ColumnMapping, group: str | None, keep: Keep) -> ParsedFile:
    columns = columns_of(found)
    mapping = checked(mapping, columns)
    found = _texts_only(found)
    refused: list[BrokenRow] = []
    read = keep(examples(found.rows, mapping, refused))
    broken = sorted([*found.broken, *refused])
    _refuse_when_broken(broken, len(read) + len(broken))
    spoken = frozenset(c for role, c in mapping.columns.items() if role not in UNSPOKEN)
    numbers = _numbers([row for _, row in found.rows], spoken)
    notes = tuple(filter(None, (*found.notes, numbers, *unread_keys(found.rows))))
    unused = columns_of(found, frozenset({*mapping.columns.values(), "group", group or ""}))
    return ParsedFile(MAPPED, mapping.kind, read, broken, unused, found.encoding, notes)


def _without_header(
    found: LoadedFile, mapping: ColumnMapping, group: str | None
) -> tuple[LoadedFile, ColumnMapping, str | None]:
    """The same with the first line of each table as a row and columns called 1, 2, ...

    A column may be named by its number or by its cell in the first of these lines.
    """
    if not found.headers:
        raise UserError("This file has no header to read as a row.", "Leave 'no header' out.")
    numbers = _numbered(found.headers[0])
    by_number = {role: numbers.get(c.strip().lower(), c) for role, c in mapping.columns.items()}
    group = numbers.get(group.strip().lower(), group) if group else group
    return (
        found._replace(rows=list(_with_first_lines(found)), headers=()),
        mapping.model_copy(update={"columns": by_number}),
        group,
    )


def _with_first_lines(found: LoadedFile) -> Iterator[NumberedRow]:
    """The rows with their columns by number, each table after its first line."""
    tables = [*found.headers, None]
    waiting = iter(found.rows)
    row = next(waiting, None)
    for first, following in pairwise(tables):
        assert first is not None
        yield first.row, {str(n): cell for n, cell in enumerate(first.cells, 1)}
        numbers = _numbered(first)
        while row and (following is None or row[0] < following.row):
            yield row[0], {numbers.get(name, name): value for name, value in row[1].items()}
            row = next(waiting, None)


def _openable(loaded: LoadedFile, module: ModuleType) -> LoadedFile:
    """The same with rows that the layout cannot open, each by itself, as broken ones."""
    if not _flaw(module, loaded.rows):
        return loaded
    flaws = [BrokenRow(each[0], why) for each in loaded.rows if (why := _flaw(module, [each]))]
    refused = {flaw.row for flaw in flaws}
    rows = [(n, row) for n, row in loaded.rows if n not in refused]
    return loaded._replace(rows=rows, broken=sorted([*loaded.broken, *flaws]))


def _flaw(module: ModuleType, rows: list[NumberedRow]) -> str:
    """Why the rows cannot be opened or described together; empty where they can."""
    try:
        if hasattr(module, "unfold"):
            module.unfold(rows)
        for describe in ("note", "columns"):
            if hasattr(module, describe):
                getattr(module, describe)([row for _, row in rows])
    except RowError as error:
        return str(error)
    return ""


def _numbered(first: FirstLine) -> dict[str, str]:
    return {cell.strip().lower(): str(n) for n, cell in enumerate(first.cells, 1)}


def _texts_only(found: LoadedFile) -> LoadedFile:
    """The same with rows that hold pictures, sound or film as broken ones: models learn text."""
    media = [(n, name) for n, row in found.rows if (name := _media(row))]
    if not media:
        return found
    flaws = [
        BrokenRow(n, f"holds {MEDIA[name]} in {name!r}; only text can be learned")
        for n, name in media
    ]
    refused = {n for n, _ in media}
    rows = [(n, row) for n, row in found.rows if n not in refused]
    return found._replace(rows=rows, broken=sorted([*found.broken, *flaws]))


def _media(row: FileRow) -> str | None:
    return next((name for name in row if name in MEDIA and row[name] not in ("", [], {})), None)


def _numbers(rows: list[FileRow], columns: frozenset[str]) -> str:
    """How many rows hold a number or boolean where a text is read, as a sentence; often empty."""
    count = sum(
        any(isinstance(row.get(name), int | float) for name in columns & row.keys()) for row in rows
    )
    return (
        f"Numbers and booleans were read as the text written in the file: {count:,} rows."
        if (count)
        else ""
    )


def _grouped(found: LoadedFile, group: str) -> list[NumberedRow]:
    column = spelling(group, columns_of(found))
    return [
        (n, {**row, "group": str(row[column])} if row.get(column) is not None else row)
        for n, row in found.rows
    ]


def _parts(found: LoadedFile) -> Iterator[tuple[str, list[NumberedRow]]]:
    """The rows of each file of an archive."""
    start = 0
    for name, count in found.parts:
        if count:
            yield name, found.rows[start : start + count]
        start += count


def _best(rows: list[NumberedRow]) -> str:
    head = [row for _, row in rows[:LOOKED_AT]]
    scores = {n: _fit(plugins.load("formats", n), head) for n in plugins.names("formats")}
    best = max(scores, key=lambda name: scores[name])
    return best if scores[best] >= SURE else ""


def _fit(module: ModuleType, head: list[FileRow]) -> float:
    """What the layout says of rows; nothing where it stumbles over one of them."""
    try:
        return float(module.sniff(head))
    except RowError:
        return 0.0


def _names(rows: list[NumberedRow]) -> frozenset[str]:
    return frozenset(key for _, row in rows[:LOOKED_AT] for key in row)


def refusal_of(found: LoadedFile, likely: ColumnMapping | None) -> tuple[str, str]:
    """The problem of rows that no layout fits, and its fix: the likely mapping where there is one.

    UserError where it is another: too many rows are broken.
    """
    _refuse_when_broken(found.broken, len(found.rows) + len(found.broken))
    problem = f"No known layout fits the columns found: {_listed(columns_of(found))}."
    if likely:
        shown = str(likely)
        shown = shown if len(shown) <= LISTED else f"{shown[:LISTED]}…"
        return problem, f"Map the columns. They look like: {shown} (kind {likely.kind})."
    return problem, "Map the columns, or rename them, such as to prompt and completion."


def _read(
    read: Callable[[FileRow, int], Example], rows: list[NumberedRow], refused: list[BrokenRow]
) -> Iterator[Example]:
    for number, row in rows:
        try:
            yield read(row, number)
        except RowError as error:
            refused.append(BrokenRow(number, str(error)))


def _refuse_when_broken(broken: list[BrokenRow], total: int) -> None:
    if total == 0:
        raise UserError("The file has no rows.", "Upload a file with at least one row.")
    if len(broken) * 2 > total:
        first, why = broken[0].row, broken[0].reason[:160]
        raise UserError(
            f"{len(broken):,} of {total:,} rows cannot be read; row {first}: {why}.",
            "Correct the file, or choose another layout.",
        )


def _listed(columns: tuple[str, ...]) -> str:
    kept: list[str] = []
    while len(kept) < len(columns) and len(", ".join(kept)) < LISTED:
        kept.append(" ".join(columns[len(kept)][:40].split()))
    shown, more = ", ".join(kept), len(columns) - len(kept)
    return f"{shown} and {more:,} more" if more else shown or "none"
