"""Uploads that are looked at before they are kept: parsed, checked and split once.

    files/cache/staged/PERSON/UPLOAD/upload.json     name, columns, layout or the guessed mapping
                                    /rows.jsonl      the rows as the loader of the file gave them
                                    /READING.jsonl   the examples that one reading made of them
                                    /READING.split   what a split keeps together, or of fixed rows
                                                     the places that they had before
                                    /READING.json    what the checks found in these

A READING is a layout, a mapping or a group, and the fixes applied after it. A person reaches their
own uploads only: PERSON is a hash of the name of whoever asks, UPLOAD one of the content and the
name of the file, so no name of a file or a person becomes a path. Every file is put there whole,
and the JSON that vouches for rows after the rows; rows are written by a process of its own, and
this one never holds them. Uploads are dropped when they are added, a day after their last use, or
when newer ones need the room.
"""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from re import fullmatch
from typing import NamedTuple

import numpy as np
from pydantic import BaseModel

from engine.core.actor import Actor, Role
from engine.core.dataset import Dataset, Split
from engine.core.errors import NotFound
from engine.files import move_whole, sha256_of_file, write_atomic
from engine.formats.held_out_split import Families, hold_out
from engine.services.data import datasets, prepared_rows, row_process
from engine.services.data.prepared_rows import (
    CheckedRows,
    CheckRows,
    FixedRows,
    FixRows,
    LoadFile,
    Reading,
    Upload,
)
from engine.services.data.row_file import GONE, RowFile
from engine.workspace import Workspace

MAX_AGE_S = 24 * 3600.0  # since the last use
MAX_UPLOADS = 5  # of one person
MAX_READINGS = 8  # of one upload: layouts, mappings, groups and fixes that were tried
MAX_BYTES = 2 * 1024**3  # of all uploads together
ID = r"[0-9a-f]{32}"


class _Folder(NamedTuple):
    path: Path
    used_at: float
    size: int


def stage(ws: Workspace, actor: Actor, path: Path, name: str, sheet: str | None = None) -> str:
    """The id of the upload; the file is parsed unless the same one is staged already.

    Of a workbook `sheet` is read, or its first one.

    UserError when it cannot be read. The file itself is not needed any more.
    """
    actor.require(Role.TRAINER)
    datasets.refuse_large(path, name)
    upload_id = _hash(path, name if sheet is None else f"{name}/{sheet}")
    folder = _folder(ws, actor, upload_id)
    if not _is_staged(folder):
        with datasets.scratch(ws) as aside:
            task = LoadFile(path=path.resolve(), name=name, folder=aside, sheet=sheet)
            upload = row_process.run(task, path, name)
            move_whole(aside / prepared_rows.LOADED, folder / "rows.jsonl")
        write_atomic(folder / "upload.json", upload.model_dump_json().encode())
    _use(folder)
    sweep(ws, time.time(), kept=folder)
    return upload_id


def describe(ws: Workspace, actor: Actor, upload_id: str) -> Upload:
    """What is known of the upload before it is read; NotFound when it has gone."""
    actor.require(Role.TRAINER)
    folder = _folder(ws, actor, upload_id)
    with _gone():
        upload = Upload.model_validate_json((folder / "upload.json").read_bytes())
        _use(folder)
    return upload


def check(ws: Workspace, actor: Actor, upload_id: str, how: Reading) -> CheckedRows:
    """What the checks and the split find in the rows read that way: done once, then stored.

    NotFound when the upload has gone, UserError when its rows cannot be read that way.
    """
    upload = describe(ws, actor, upload_id)
    folder = _folder(ws, actor, upload_id)
    file = folder / f"{_key(how)}.json"
    if file.is_file():
        with _gone():
            return CheckedRows.model_validate_json(file.read_bytes())
    loaded = _there(folder / "rows.jsonl")
    with datasets.scratch(ws) as aside:
        task = CheckRows(loaded=loaded, how=how, folder=aside)
        checked = row_process.run(task, loaded, upload.name)
        _keep(file, checked, aside / prepared_rows.EXAMPLES, aside / prepared_rows.FAMILIES)
    return checked


def row_file(ws: Workspace, actor: Actor, upload_id: str, how: Reading) -> RowFile:
    """Where the rows of an upload lie, read that way."""
    checked = check(ws, actor, upload_id, how)
    file = _folder(ws, actor, upload_id) / f"{_key(how)}.jsonl"
    return RowFile(path=_there(file), sha256=checked.sha256)


def splits(
    ws: Workspace, actor: Actor, upload_id: str, how: Reading, held_out: float
) -> list[Split]:
    """The side of each row: that of the file itself, or drawn.

    UserError for a share that these rows cannot meet.
    """
    checked = check(ws, actor, upload_id, how)
    if how.own_split and checked.own_sides:
        return checked.sides
    file = _folder(ws, actor, upload_id) / f"{_key(how)}.split"
    with _gone():
        families = Families.load(file)
    return hold_out(families, held_out)


def fix(
    ws: Workspace, actor: Actor, upload_id: str, how: Reading, fixes: Sequence[str]
) -> FixedRows:
    """What the fixes make of the rows read that way: done once, then stored.

    UserError for a fix that nobody knows.
    """
    checked = check(ws, actor, upload_id, how)
    folder = _folder(ws, actor, upload_id)
    prepared_rows.load_fixes(fixes)
    file = folder / f"{_key(how, fixes)}.json"
    if file.is_file():
        with _gone():
            return FixedRows.model_validate_json(file.read_bytes())
    rows = RowFile(path=_there(folder / f"{_key(how)}.jsonl"), sha256=checked.sha256)
    with datasets.scratch(ws) as aside:
        task = FixRows(
            rows=rows, layout=checked.layout, kind=checked.kind, fixes=tuple(fixes), folder=aside
        )
        fixed = row_process.run(task, rows.path, "The upload")
        _keep(file, fixed, aside / prepared_rows.EXAMPLES, aside / prepared_rows.KEPT)
    return fixed


def add(
    ws: Workspace,
    actor: Actor,
    project_id: str,
    upload_id: str,
    how: Reading,
    name: str,
    held_out: float,
    fixes: Sequence[str] = (),
) -> Dataset:
    """The upload as a version called `name`, as it was checked; the staged rows stay.

    With fixes it is kept as it is, and what they make of it is the next version, which comes back.
    UserError, and nothing is kept, where they change nothing or leave a side of the split empty.
    """
    upload = describe(ws, actor, upload_id)
    checked = check(ws, actor, upload_id, how)
    sides = splits(ws, actor, upload_id, how, held_out)
    fixed = fix(ws, actor, upload_id, how, fixes) if fixes else None
    folder = _folder(ws, actor, upload_id)
    after: list[Split] = []
    if fixed:
        datasets.refuse_unchanged(fixed.change, name)
        after = datasets.sides_after(sides, _places(folder, how, fixes), name)
    kept = datasets.store_file(
        ws, actor, project_id, checked, folder / f"{_key(how)}.jsonl", name,
        datasets.origin_of(datasets.file_origin(upload.name, upload.sheet, checked), how), sides,
    )  # fmt: skip
    if fixed is None:
        return kept
    return datasets.store_file(
        ws, actor, project_id, fixed.checked, folder / f"{_key(how, fixes)}.jsonl", name,
        {"mended": kept.id, "fixes": list(fixes)}, after,
    )  # fmt: skip


def discard(ws: Workspace, actor: Actor, upload_id: str) -> None:
    """Forget an upload; nothing happens where it has gone already."""
    shutil.rmtree(_folder(ws, actor, upload_id), ignore_errors=True)


def sweep(ws: Workspace, now: float, kept: Path | None = None) -> int:
    """Drop uploads that are too old, too many or too large together; how many. `kept` stays."""
    found = sorted(_folders(ws), key=lambda one: -one.used_at)
    room, dropped = MAX_BYTES, 0
    of_person: dict[Path, int] = {}
    for one in sorted(found, key=lambda one: one.path != kept):
        person = one.path.parent
        of_person[person] = of_person.get(person, 0) + 1
        room -= one.size
        old = now - one.used_at > MAX_AGE_S
        if one.path != kept and (old or room < 0 or of_person[person] > MAX_UPLOADS):
            shutil.rmtree(one.path, ignore_errors=True)
            room += one.size
            dropped += 1
    datasets.sweep_scratch(ws, now)
    return dropped


def _keep(file: Path, made: BaseModel, rows: Path, split: Path) -> None:
    """Put what a task made in its place, the JSON that vouches for it last."""
    _make_room(file.parent)
    move_whole(rows, file.with_suffix(".jsonl"))
    move_whole(split, file.with_suffix(".split"))
    write_atomic(file, made.model_dump_json().encode())


def _places(folder: Path, how: Reading, fixes: Sequence[str]) -> list[int]:
    """The places that rows had before the fixes that they stayed after."""
    with _gone():
        found: list[int] = np.load(
            folder / f"{_key(how, fixes)}.split", allow_pickle=False
        ).tolist()
        return found


def _there(file: Path) -> Path:
    if not file.is_file():
        raise NotFound(*GONE)
    return file


def _folder(ws: Workspace, actor: Actor, upload_id: str) -> Path:
    """Where an upload of this person lies; NotFound for what cannot be an id."""
    if not fullmatch(ID, upload_id):
        raise NotFound(*GONE)
    person = hashlib.sha256(actor.name.encode(errors="replace")).hexdigest()[:32]
    return _root(ws) / person / upload_id


def _root(ws: Workspace) -> Path:
    return ws.files / "cache" / "staged"


def _hash(path: Path, name: str) -> str:
    if not path.is_file():
        raise NotFound(f"There is no file {name!r}.", "Drop it again.")
    return hashlib.sha256(f"{sha256_of_file(path)} {name}".encode(errors="replace")).hexdigest()[
        :32
    ]


def _key(how: Reading, fixes: Sequence[str] = ()) -> str:
    asked = how.model_dump_json() + json.dumps(fixes)
    return hashlib.sha256(asked.encode(errors="replace")).hexdigest()[:32]


def _is_staged(folder: Path) -> bool:
    return (folder / "upload.json").is_file() and (folder / "rows.jsonl").is_file()


def _use(folder: Path) -> None:
    with suppress(OSError):
        os.utime(folder / "upload.json")


def _make_room(folder: Path) -> None:
    """Drop the oldest readings, so that there is room for one more."""
    kept = [file for file in folder.glob("*.json") if file.name != "upload.json"]
    for file in sorted(kept, key=lambda file: -file.stat().st_mtime)[MAX_READINGS - 1 :]:
        for ending in (".json", ".jsonl", ".split"):
            file.with_suffix(ending).unlink(missing_ok=True)


def _folders(ws: Workspace) -> Iterator[_Folder]:
    for path in _root(ws).glob("*/*"):
        with suppress(OSError):  # another process may be dropping it
            used = path / "upload.json"
            at = (used if used.is_file() else path).stat().st_mtime
            yield _Folder(path, at, sum(file.stat().st_size for file in path.iterdir()))


@contextmanager
def _gone() -> Iterator[None]:
    """NotFound where files of an upload are missing or damaged."""
    try:
        yield
    except (OSError, ValueError, EOFError):
        raise NotFound(*GONE) from None
