"""Datasets: look at a file, keep it as an immutable version, split it once."""

import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from itertools import islice
from pathlib import Path

from sqlalchemy import Connection

from engine.checks.run import findings
from engine.core import ids
from engine.core.actor import Actor, Role
from engine.core.column_mapping import ColumnMapping
from engine.core.dataset import HELD_OUT_SHARE, Dataset, Origin, Row, Split
from engine.core.errors import UserError
from engine.core.parsed_file import ParsedFile
from engine.files import scratch_folder, write_atomic, write_lines
from engine.formats.content_hash import sha256_of, to_line
from engine.formats.held_out_split import Families, hold_out, split
from engine.services import access
from engine.services.data import row_process
from engine.services.data.prepared_rows import (
    EXAMPLES,
    FAMILIES,
    Change,
    CheckedRows,
    ReadFile,
)
from engine.services.data.prepared_rows import Reading as Reading
from engine.services.data.row_file import RowFile, sides_in
from engine.services.people import visitors
from engine.store import datasets
from engine.store.connect import reading, writing
from engine.store.json_columns import to_json
from engine.workspace import Workspace

MAX_BYTES = 200 * 1024 * 1024  # of a file; what brings one in a request takes its limit here
ENDINGS = frozenset(
    {".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".txt", ".xlsx", ".parquet", ".zip", ".gz"}
)


def add(
    ws: Workspace,
    actor: Actor,
    project_id: str,
    path: Path,
    name: str,
    *,
    held_out: float = HELD_OUT_SHARE,
    seed: int = 0,
    layout: str | None = None,
    mapping: ColumnMapping | None = None,
    group: str | None = None,
    origin: Origin | None = None,
    sheet: str | None = None,
    own_split: bool = True,
) -> Dataset:
    """Read, check, split and keep a file; the same content under the same name is one version.

    With `own_split` an archive of train and test files keeps their sides, whatever `held_out` is.

    Columns that no layout knows are read by a `mapping` that a person has given, never by a
    guess. Rows with equal values in the column `group` stay on one side of the split.
    """
    actor.require(Role.TRAINER)
    refuse_large(path, name)
    how = Reading(layout=layout, mapping=mapping, group=group, seed=seed, own_split=own_split)
    with scratch(ws) as aside:
        task = ReadFile(path=path.resolve(), name=name, how=how, folder=aside, sheet=sheet)
        checked = row_process.run(task, path, name)
        if not checked.rows:
            raise UserError(
                f"{name} holds no readable row.",
                "See the findings, correct the file and try again.",
            )
        own = checked.sides if own_split else []
        sides = own or hold_out(Families.load(aside / FAMILIES), held_out)
        return store_file(
            ws, actor, project_id, checked, aside / EXAMPLES, stem(name),
            origin_of(origin or file_origin(name, sheet or "", checked), how), sides,
        )  # fmt: skip


def file_origin(name: str, sheet: str, checked: CheckedRows) -> Origin:
    """Where rows of a file came from: its name, the sheet of a workbook, its own split."""
    origin: Origin = {"upload": name}
    if sheet:
        origin["sheet"] = sheet
    if checked.own_sides:
        origin["own_split"] = True
    return origin


def origin_of(origin: Origin, how: Reading) -> Origin:
    """Where a version came from, with the columns and the group that a person named."""
    named: Origin = {}
    if how.mapping:
        named["mapping"] = how.mapping.model_dump(mode="json", exclude_defaults=True)
    if how.group:
        named["group"] = how.group
    return {**origin, **named}


def refuse_large(path: Path, name: str) -> None:
    """UserError for a file that is more than one upload may be."""
    if path.is_file() and path.stat().st_size > MAX_BYTES:
        raise UserError(
            f"{name} is larger than {MAX_BYTES // 2**20} MB.", "Give a part of it, or split it."
        )


def store(
    ws: Workspace,
    actor: Actor,
    project_id: str,
    parsed: ParsedFile,
    name: str,
    origin: Origin,
    held_out: float,
    seed: int = 0,
    splits: list[Split] | None = None,
) -> Dataset:
    """Keep examples that are in memory as a version; `splits` are their sides where given."""
    actor.require(Role.TRAINER)
    splits = split(parsed.examples, held_out, seed) if splits is None else splits
    lines = list(map(to_line, parsed.examples))
    checked = CheckedRows(
        layout=parsed.layout,
        kind=parsed.kind,
        rows=len(lines),
        sha256=sha256_of(parsed.examples),
        findings=tuple(findings(parsed)),
    )
    return _store(ws, actor, project_id, checked, lines, name, origin, splits)


def store_file(
    ws: Workspace,
    actor: Actor,
    project_id: str,
    checked: CheckedRows,
    file: Path,
    name: str,
    origin: Origin,
    splits: list[Split],
) -> Dataset:
    """Keep the rows of a file as they were checked, without holding them.

    NotFound when they have gone or are others than those checked; nothing is kept then.
    """
    actor.require(Role.TRAINER)
    lines = RowFile(path=file, sha256=checked.sha256).lines()
    return _store(ws, actor, project_id, checked, lines, name, origin, splits)


def _store(
    ws: Workspace,
    actor: Actor,
    project_id: str,
    checked: CheckedRows,
    lines: Iterable[bytes],
    name: str,
    origin: Origin,
    splits: list[Split],
) -> Dataset:
    """The version: its rows are on the disk before the table knows of them."""
    new = _version(actor, project_id, checked, name, origin, splits)
    with reading(ws.db) as conn:
        if known := _same(conn, actor, new):
            return known
    folder = ws.files / new.file
    try:
        write_lines(folder / "rows.jsonl", lines)
        write_atomic(folder / "splits.json", to_json(splits).encode())
        with writing(ws.db) as conn:
            known = _same(conn, actor, new)
            if known is None:
                visitors.check_room(ws, conn, actor)
                version = datasets.next_version(conn, project_id, name)
                new = new.model_copy(update={"version": version})
                datasets.add(conn, new)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    if known:
        shutil.rmtree(folder, ignore_errors=True)
    return known or new


def _same(conn: Connection, actor: Actor, new: Dataset) -> Dataset | None:
    """A version of this name with the same content and as many rows held out."""
    access.project(conn, actor, new.project_id)
    known = datasets.with_content(conn, new.project_id, new.name, new.sha256)
    return known if known and known.held_out_rows == new.held_out_rows else None


def _version(
    actor: Actor,
    project_id: str,
    checked: CheckedRows,
    name: str,
    origin: Origin,
    splits: list[Split],
) -> Dataset:
    dataset_id = ids.new("dataset")
    return Dataset(
        id=dataset_id,
        project_id=project_id,
        name=name,
        version=1,
        kind=checked.kind,
        layout=checked.layout,
        rows=checked.rows,
        train_rows=splits.count("train"),
        held_out_rows=splits.count("held_out"),
        sha256=checked.sha256,
        file=f"datasets/{dataset_id}",
        origin=origin,
        findings=checked.findings,
        created_by=actor.name,
        created_at=time.time(),
    )


def refuse_unchanged(change: Change, label: str) -> None:
    """UserError for fixes that neither remove nor change a row."""
    if not change.removed and not change.changed:
        raise UserError(f"{label} needs none of these fixes.", "Choose others, or none.")


def sides_after(before: Sequence[Split], places: Sequence[int], label: str) -> list[Split]:
    """The sides of the rows that stay; UserError when a side that had rows would have none."""
    after = [before[place] for place in places]
    refuse_empty_side(before, after, label)
    return after


def refuse_empty_side(before: Sequence[Split], after: Sequence[Split], label: str) -> None:
    """UserError when a side that had rows before has none after."""
    if "train" in before and "train" not in after:
        raise UserError(f"{label} would have no training row left.", "Choose fewer fixes.")
    if "held_out" in before and "held_out" not in after:
        raise UserError(f"{label} would have no held-out row left.", "Choose fewer fixes.")


def scratch(ws: Workspace) -> AbstractContextManager[Path]:
    """A folder on the disk of the data, for rows that are being made; gone after the block."""
    return scratch_folder(_scratch(ws))


def sweep_scratch(ws: Workspace, now: float) -> None:
    """Drop what a process left behind that was killed while it made rows."""
    for path in _scratch(ws).glob("*"):
        with suppress(OSError):  # another process may be dropping it
            if now - path.stat().st_mtime > row_process.WALL_S:
                shutil.rmtree(path, ignore_errors=True)


def _scratch(ws: Workspace) -> Path:
    return ws.files / "cache" / "making"


def list_all(ws: Workspace, actor: Actor, project_id: str) -> list[Dataset]:
    """Newest first."""
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        access.project(conn, actor, project_id)
        return datasets.list_all(conn, project_id)


def get(ws: Workspace, actor: Actor, dataset_id: str) -> Dataset:
    """The version; NotFound otherwise."""
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        return access.dataset(conn, actor, dataset_id)


def rows(
    ws: Workspace,
    actor: Actor,
    dataset_id: str,
    split: Split | None = None,
    limit: int | None = None,
) -> list[Row]:
    """The rows of a version in file order, of one split where named."""
    return list(islice(each_row(ws, get(ws, actor, dataset_id), split), limit))


def load_rows(ws: Workspace, dataset: Dataset, split: Split | None = None) -> list[Row]:
    """The rows as the files hold them; UserError when they have gone or changed.

    For work that needs them all at once; whatever serves pages takes `each_row`.
    """
    return list(each_row(ws, dataset, split))


def each_row(ws: Workspace, dataset: Dataset, split: Split | None = None) -> Iterator[Row]:
    """The same, one row after another; that they have changed is known at the end."""
    sides = splits_of(ws, dataset)
    for place, example in enumerate(row_file(ws, dataset).examples()):
        side = sides[place] if place < len(sides) else "train"  # changed, as the end will say
        if split is None or side == split:
            yield Row(index=place, split=side, example=example)


def row_file(ws: Workspace, dataset: Dataset) -> RowFile:
    """Where the rows of a version lie."""
    path = ws.files / dataset.file / "rows.jsonl"
    return RowFile(path=path, sha256=dataset.sha256, label=dataset.label)


def sides_file(ws: Workspace, dataset: Dataset) -> Path:
    """Where the sides of its rows lie."""
    return ws.files / dataset.file / "splits.json"


def size_of(ws: Workspace, dataset: Dataset) -> int:
    """Bytes of the rows; UserError when they have gone."""
    return row_file(ws, dataset).size()


def splits_of(ws: Workspace, dataset: Dataset) -> list[Split]:
    """The side of each row in its order; UserError when the file has gone."""
    try:
        return sides_in(sides_file(ws, dataset))
    except OSError:
        raise UserError(
            f"The rows of {dataset.label} are not in the data folder.", "Add the file again."
        ) from None


def stem(name: str) -> str:
    """The name of a dataset made of a file: its name without the endings of data files."""
    stripped = Path(name).name
    while (end := Path(f"x{stripped}").suffix.lower()) in ENDINGS:
        stripped = stripped[: -len(end)]
    return stripped.strip(". ")[:60] or "data"
