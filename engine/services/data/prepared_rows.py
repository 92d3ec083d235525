"""Rows of a file made ready to be kept: parsed, read, checked, fixed, and their families noted.

Which rows stay together in the split is decided in formats/held_out_split.py.

Each task writes the rows to files of a folder that nobody else reads and answers with counters,
findings and a few rows. So it can run in a process of its own (`row_process`), and whoever asked
never holds the rows.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby, islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict

from engine import plugins
from engine.checks.own_split import findings as split_findings
from engine.checks.run import GRAVEST_FIRST, findings
from engine.checks.shared import texts_of, with_texts
from engine.core.column_mapping import ColumnMapping
from engine.core.dataset import Split
from engine.core.errors import NotFound, UserError
from engine.core.examples import Chat, Example, Kind, Text
from engine.core.finding import Finding
from engine.core.near_duplicates import compared_once
from engine.core.parsed_file import ParsedFile
from engine.formats import isolated
from engine.formats.content_hash import ExampleFile, ExampleWriter
from engine.formats.files import any_file
from engine.formats.files.loaded_file import LoadedFile
from engine.formats.files.split_names import own_sides
from engine.formats.held_out_split import Families, families
from engine.formats.mapping_guess import guess
from engine.formats.read import columns_of, known_columns, layout_of, refusal_of, understand
from engine.services.data.row_file import GONE, RowFile

IN_MEMORY = 50_000  # examples; more are read from the disk again for each check
FIRST = 5  # examples kept beside the findings
NAMED = 3  # examples kept for each finding
SAMPLES = 5  # rows before and after fixes
LONGEST_SHOWN, MOST_TURNS = 1_000_000, 20  # characters of a row that is shown; turns of a longer
LOADED, EXAMPLES, FAMILIES, KEPT = "rows.jsonl", "examples.jsonl", "families.bin", "kept.npy"
FixFunction = Callable[[Sequence[Example]], Sequence[Example]]


class Reading(BaseModel):
    """How the rows of a file are read and drawn for the split; by default as the file shows."""

    model_config = ConfigDict(frozen=True)

    layout: str | None = None
    mapping: ColumnMapping | None = None
    group: str | None = None  # a column: rows with equal values stay on one side of the split
    seed: int = 0
    own_split: bool = True  # an archive's own train and test files stay the sides of the split


class Upload(BaseModel):
    """A staged file.

    Where no layout fits, `refusal` is the problem and its fix, and `guess` a mapping to confirm,
    None where nothing is likely. An archive whose files have `mixed` layouts has no guess. Of the
    `sheets` of a workbook only `sheet` was read.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    rows: int
    columns: tuple[str, ...]
    layout: str = ""
    guess: ColumnMapping | None = None
    refusal: tuple[str, str] | None = None
    mixed: bool = False
    sheets: tuple[str, ...] = ()
    sheet: str = ""


class CheckedRows(BaseModel):
    """What one reading of a file, or fixes of its rows, gave, without the examples.

    `first` are the first few examples, `named` those that the findings name first. `own_sides` are
    the sides of the split that the files of an archive stand for: how many rows, and where they go.
    """

    model_config = ConfigDict(frozen=True)

    layout: str
    kind: Kind
    rows: int
    sha256: str  # of the content
    findings: tuple[Finding, ...]
    first: tuple[Example, ...] = ()
    named: tuple[Example, ...] = ()
    own_sides: tuple[tuple[int, Split], ...] = ()

    @property
    def sides(self) -> list[Split]:
        """The side of each row that the file itself names; none where it names none."""
        return [side for count, side in self.own_sides for _ in range(count)]


class Sample(NamedTuple):
    """A row before and after; `after` is None where it would be removed."""

    row: int  # number in the file it came from
    before: Example
    after: Example | None


class Change(NamedTuple):
    """What fixes do; `samples` are the first few rows touched."""

    removed: int
    changed: int
    rows_before: int
    rows_after: int
    samples: tuple[Sample, ...]


class FixedRows(BaseModel):
    """Rows after fixes, and what the fixes changed."""

    model_config = ConfigDict(frozen=True)

    change: Change
    checked: CheckedRows


class LoadFile(BaseModel):
    """Parse the file called `name`: LOADED holds its rows, the answer says what is known of them.

    UserError when it cannot be read.
    """

    path: Path
    name: str
    folder: Path
    sheet: str | None = None

    def run(self) -> Upload:
        """The upload that the file becomes."""
        loaded = _loaded(self.path, self.name, self.sheet)
        isolated.dump(loaded, self.folder / LOADED)
        sheet = (self.sheet or loaded.sheets[0]) if loaded.sheets else ""
        described = _described(loaded, self.name)
        return described.model_copy(update={"sheets": loaded.sheets, "sheet": sheet})


class CheckRows(BaseModel):
    """Read rows that are loaded already, check them, and find what a split keeps together.

    EXAMPLES holds the examples, FAMILIES what stays on one side in the order of drawing.
    """

    loaded: Path
    how: Reading
    folder: Path

    def run(self) -> CheckedRows:
        """What was found; UserError when the rows cannot be read that way."""
        try:
            with self.loaded.open(encoding="utf-8") as lines:
                loaded = isolated.collected(lines, "The upload")
        except (OSError, UserError):  # cut or gone
            raise NotFound(*GONE) from None
        return _read(loaded, self.how, self.folder)


class ReadFile(BaseModel):
    """`LoadFile` and `CheckRows` in one, for a file that nobody wants to look at first."""

    path: Path
    name: str
    how: Reading
    folder: Path
    sheet: str | None = None

    def run(self) -> CheckedRows:
        """What was found; UserError when the file cannot be read that way."""
        return _read(_loaded(self.path, self.name, self.sheet), self.how, self.folder)


class FixRows(BaseModel):
    """Apply fixes, one after another: EXAMPLES holds what stays, KEPT the places it had before.

    `layout` and `kind` are those of the rows. UserError for a fix that nobody knows.
    """

    rows: RowFile
    layout: str
    kind: Kind
    fixes: tuple[str, ...]
    folder: Path

    def run(self) -> FixedRows:
        """What the fixes changed, and what the checks find afterwards."""
        changes = load_fixes(self.fixes)
        # a row of the file may hold several examples: while fixes run, the place is the row number
        kept: Sequence[Example] = [
            example.model_copy(update={"source_row": place})
            for place, example in enumerate(self.rows.examples())
        ]
        before = len(kept)
        for change in changes:
            kept = change(kept)
        after = {e.source_row: e for e in kept}
        places = np.array(sorted(after), np.int64)
        with (self.folder / KEPT).open("wb") as file:
            np.save(file, places)
        with (self.folder / EXAMPLES).open("wb") as file:
            writer = ExampleWriter(file)
            changed, samples = self._write(writer, after)
        parsed = ParsedFile(self.layout, self.kind, _written(self.folder, writer), [])
        change_made = Change(
            removed=before - len(places),
            changed=changed,
            rows_before=before,
            rows_after=len(places),
            samples=tuple(samples),
        )
        with compared_once():
            return FixedRows(change=change_made, checked=_checked(parsed, writer.sha256))

    def _write(self, writer: ExampleWriter, after: dict[int, Example]) -> tuple[int, list[Sample]]:
        """Write the rows that stay; how many changed, and the first few that are touched."""
        changed = 0
        samples: list[Sample] = []
        for place, before in enumerate(self.rows.examples()):
            now = after.get(place)
            if now is not None:
                now = writer.add(now.model_copy(update={"source_row": before.source_row}))
                changed += now != before
            if now != before and len(samples) < SAMPLES:
                samples.append(Sample(before.source_row, shown(before), now and shown(now)))
        return changed, samples


class PickRows(BaseModel):
    """Keep the rows at the places that the file `places` names: EXAMPLES holds them."""

    rows: RowFile
    layout: str
    kind: Kind
    places: Path
    folder: Path

    def run(self) -> CheckedRows:
        """What the checks find in them."""
        wanted = iter(np.load(self.places, allow_pickle=False).tolist())
        following = next(wanted, None)
        with (self.folder / EXAMPLES).open("wb") as file:
            writer = ExampleWriter(file)
            for place, example in enumerate(self.rows.examples()):
                if place == following:
                    writer.add(example)
                    following = next(wanted, None)
        parsed = ParsedFile(self.layout, self.kind, _written(self.folder, writer), [])
        with compared_once():
            return _checked(parsed, writer.sha256)


def load_fixes(names: Sequence[str]) -> list[FixFunction]:
    """The fixes by their names; UserError where one is unknown or none is named."""
    if not names:
        raise UserError("No fix was chosen.", f"Known: {', '.join(plugins.names('fixes'))}.")
    return [_fix(name) for name in names]


def shown(example: Example) -> Example:
    """A row as it is handed to whoever looks at it: one of megabytes without most of its text."""
    if sum(map(len, texts_of(example))) <= LONGEST_SHOWN:
        return example
    if isinstance(example, Chat):
        example = example.model_copy(update={"messages": example.messages[-MOST_TURNS:]})
    elif not isinstance(example, Text):
        example = example.model_copy(update={"prompt": example.prompt[-MOST_TURNS:]})
    return with_texts(example, lambda text: text[: LONGEST_SHOWN // MOST_TURNS])


def _fix(name: str) -> FixFunction:
    """The fix of this name, made with what stands after a colon; UserError names the known ones."""
    family, separator, argument = name.partition(":")
    if separator and family in plugins.names("fix_factories"):
        made: FixFunction = plugins.load("fix_factories", family)(argument)
        return made
    known = plugins.names("fixes")
    if name not in known:
        raise UserError(f"There is no fix named {name[:60]!r}.", f"Known: {', '.join(known)}.")
    fix: FixFunction = plugins.load("fixes", name)
    return fix


def _loaded(path: Path, name: str, sheet: str | None) -> LoadedFile:
    return any_file.rows_of(path, name, known_columns(), sheet)


def _described(loaded: LoadedFile, name: str) -> Upload:
    shown = name.encode(errors="replace").decode()[:255]
    upload = Upload(name=shown, rows=len(loaded.rows), columns=columns_of(loaded))
    if not loaded.rows:
        return upload
    try:
        layout = layout_of(loaded)
    except UserError as error:
        # tables of one width that differ in their first lines may have no header
        mixed = len({len(first.cells) for first in loaded.headers}) != 1
        return upload.model_copy(update={"refusal": (error.problem, error.fix), "mixed": mixed})
    if layout:
        return upload.model_copy(update={"layout": layout})
    likely = guess([row for _, row in loaded.rows])
    return upload.model_copy(update={"refusal": refusal_of(loaded, likely), "guess": likely})


def _read(loaded: LoadedFile, how: Reading, folder: Path) -> CheckedRows:
    with (folder / EXAMPLES).open("wb") as file:
        writer = ExampleWriter(file)

        def keep(examples: Iterable[Example]) -> Sequence[Example]:
            few = [writer.add(example) for example in islice(examples, IN_MEMORY + 1)]
            if len(few) <= IN_MEMORY:
                return few
            few.clear()
            for example in examples:
                writer.add(example)
            file.flush()
            return ExampleFile(folder / EXAMPLES, writer.starts)

        parsed = understand(loaded, how.layout, how.mapping, how.group, keep)
    loaded.rows.clear()  # not needed any more, and the checks need room
    sides = own_sides(parsed.examples, loaded.sides)
    with compared_once():
        checked = _checked(parsed, writer.sha256)
        linked = families(parsed.examples, how.seed)
    Families.of(linked).save(folder / FAMILIES)
    if not sides:
        return checked
    found = [*checked.findings, *split_findings(parsed.examples, sides, linked)]
    found.sort(key=lambda one: GRAVEST_FIRST[one.severity])
    runs = tuple((len(list(run)), side) for side, run in groupby(sides))
    return checked.model_copy(update={"findings": tuple(found), "own_sides": runs})


def _written(folder: Path, writer: ExampleWriter) -> Sequence[Example]:
    there = ExampleFile(folder / EXAMPLES, writer.starts)
    return there if len(there) > IN_MEMORY else list(there)


def _checked(parsed: ParsedFile, sha256: str) -> CheckedRows:
    found = tuple(findings(parsed))
    wanted = {row for one in found for row in one.rows[:NAMED]}
    named: dict[int, Example] = {}
    for example in parsed.examples:
        if example.source_row in wanted:
            named.setdefault(example.source_row, example)
    return CheckedRows(
        layout=parsed.layout,
        kind=parsed.kind,
        rows=len(parsed.examples),
        sha256=sha256,
        findings=found,
        first=tuple(map(shown, islice(parsed.examples, FIRST))),
        named=tuple(map(shown, named.values())),
    )
