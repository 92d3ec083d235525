"""Uploads that are looked at before they are kept: parsed, checked and split once.

    files/cache/staged/PERSON/UPLOAD/upload.json     name, columns, layout or the guessed mapping
                                    /rows.jsonl      the rows as the loader of the file gave them
                                    /READING.jsonl   the examples that one reading made of them
                                    /READING.json    what the checks and the split found in these

A person reaches their own uploads only: PERSON is a hash of the name of whoever asks, UPLOAD one of
the content and the name of the file, so no name of a file or a person becomes a path. Every file
is written whole, and the JSON that vouches for rows after the rows. Uploads are dropped when they
are added, a day after their last use, or when newer ones need the room.
"""

import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from re import fullmatch
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from engine.checks.run import findings
from engine.core.actor import Actor, Role
from engine.core.column_mapping import ColumnMapping
from engine.core.dataset import Dataset
from engine.core.errors import NotFound, UserError
from engine.core.examples import Example, Kind
from engine.core.finding import Finding
from engine.core.near_copies import compared_once
from engine.core.parsed import ParsedFile
from engine.files import write_atomic
from engine.formats import isolated
from engine.formats.digest import from_jsonl, to_jsonl
from engine.formats.files.loaded_file import LoadedFile
from engine.formats.guess import guess
from engine.formats.read import columns_of, layout_of, load, refusal_of, understand
from engine.formats.split import families, hold_out
from engine.services.data import datasets
from engine.services.data.datasets import Reading
from engine.workspace import Workspace

MAX_AGE_S = 24 * 3600.0  # since the last use
MAX_UPLOADS = 5  # of one person
MAX_READINGS = 8  # of one upload: layouts, mappings and groups that were tried
MAX_BYTES = 2 * 1024**3  # of all uploads together
FIRST = 5  # examples kept beside the findings
NAMED = 3  # examples kept for each finding
ID = r"[0-9a-f]{32}"
GONE = ("This upload is no longer on the server.", "Drop the file again.")


class Upload(BaseModel):
    """A staged file.

    Where no layout fits, `refusal` is the problem and its fix, and `guess` a mapping to confirm,
    None where nothing is likely. An archive whose files have `mixed` layouts has no guess.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    rows: int
    columns: tuple[str, ...]
    layout: str = ""
    guess: ColumnMapping | None = None
    refusal: tuple[str, str] | None = None
    mixed: bool = False


class CheckedRows(BaseModel):
    """What one reading of an upload gave, without its examples.

    `families` are numbers of examples that stay on one side of a split, in the order of drawing;
    `first` the first few examples, `named` those that the findings name first.
    """

    model_config = ConfigDict(frozen=True)

    layout: str
    kind: Kind
    rows: int
    findings: tuple[Finding, ...]
    families: tuple[tuple[int, ...], ...]
    first: tuple[Example, ...]
    named: tuple[Example, ...]


class _Folder(NamedTuple):
    path: Path
    used_at: float
    size: int


def stage(ws: Workspace, actor: Actor, path: Path, name: str) -> str:
    """The id of the upload; the file is parsed unless the same one is staged already.

    UserError when it cannot be read. The file itself is not needed any more.
    """
    actor.require(Role.TRAINER)
    datasets.refuse_large(path, name)
    upload_id = _hash(path, name)
    folder = _folder(ws, actor, upload_id)
    if not _is_staged(folder):
        loaded = load(path, name)
        write_atomic(folder / "rows.jsonl", isolated.dump(loaded))
        write_atomic(folder / "upload.json", _described(loaded, name).model_dump_json().encode())
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
    describe(ws, actor, upload_id)
    folder = _folder(ws, actor, upload_id)
    file = folder / f"{_key(how)}.json"
    if file.is_file():
        with _gone():
            return CheckedRows.model_validate_json(file.read_bytes())
    parsed = understand(_loaded(folder), how.layout, how.mapping, how.group)
    checked = _checked(parsed, how.seed)
    _make_room(folder)
    write_atomic(file.with_suffix(".jsonl"), to_jsonl(parsed.examples))
    write_atomic(file, checked.model_dump_json().encode())
    return checked


def examples(ws: Workspace, actor: Actor, upload_id: str, how: Reading) -> list[Example]:
    """All rows of the upload read that way."""
    checked = check(ws, actor, upload_id, how)
    with _gone():
        found = from_jsonl((_folder(ws, actor, upload_id) / f"{_key(how)}.jsonl").read_bytes())
        if len(found) != checked.rows:
            raise ValueError("rows are missing")
    return found


def add(
    ws: Workspace,
    actor: Actor,
    project_id: str,
    upload_id: str,
    how: Reading,
    name: str,
    held_out: float,
) -> Dataset:
    """The upload as a version called `name`, as it was checked; the staged rows stay."""
    upload = describe(ws, actor, upload_id)
    checked = check(ws, actor, upload_id, how)
    parsed = ParsedFile(checked.layout, checked.kind, examples(ws, actor, upload_id, how), [])
    return datasets.store(
        ws, actor, project_id, parsed, name, datasets.origin_of({"upload": upload.name}, how),
        held_out, splits=hold_out(checked.families, held_out), found=checked.findings,
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
    return dropped


def _described(loaded: LoadedFile, name: str) -> Upload:
    shown = name.encode(errors="replace").decode()[:255]
    upload = Upload(name=shown, rows=len(loaded.rows), columns=columns_of(loaded))
    if not loaded.rows:
        return upload
    try:
        layout = layout_of(loaded)
    except UserError as error:
        return upload.model_copy(update={"refusal": (error.problem, error.fix), "mixed": True})
    if layout:
        return upload.model_copy(update={"layout": layout})
    likely = guess([row for _, row in loaded.rows])
    return upload.model_copy(update={"refusal": refusal_of(loaded, likely), "guess": likely})


def _checked(parsed: ParsedFile, seed: int) -> CheckedRows:
    with compared_once():
        found = tuple(findings(parsed))
        drawn = families(parsed.examples, seed)
    wanted = {row for one in found for row in one.rows[:NAMED]}
    named = {e.source_row: e for e in reversed(parsed.examples) if e.source_row in wanted}
    return CheckedRows(
        layout=parsed.layout,
        kind=parsed.kind,
        rows=len(parsed.examples),
        findings=found,
        families=tuple(map(tuple, drawn)),
        first=tuple(parsed.examples[:FIRST]),
        named=tuple(named.values()),
    )


def _loaded(folder: Path) -> LoadedFile:
    with _gone(), (folder / "rows.jsonl").open(encoding="utf-8") as lines:
        return isolated.collected(lines, "The upload")


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
    with path.open("rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()
    return hashlib.sha256(f"{content} {name}".encode(errors="replace")).hexdigest()[:32]


def _key(how: Reading) -> str:
    return hashlib.sha256(how.model_dump_json().encode()).hexdigest()[:32]


def _is_staged(folder: Path) -> bool:
    return (folder / "upload.json").is_file() and (folder / "rows.jsonl").is_file()


def _use(folder: Path) -> None:
    with suppress(OSError):
        os.utime(folder / "upload.json")


def _make_room(folder: Path) -> None:
    """Drop the oldest readings, so that there is room for one more."""
    kept = [file for file in folder.glob("*.json") if file.name != "upload.json"]
    for file in sorted(kept, key=lambda file: -file.stat().st_mtime)[MAX_READINGS - 1 :]:
        file.unlink(missing_ok=True)
        file.with_suffix(".jsonl").unlink(missing_ok=True)


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
    except (OSError, ValueError, UserError):
        raise NotFound(*GONE) from None
