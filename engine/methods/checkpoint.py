"""Checkpoints that are whole or not there, and that nobody changed since.

A checkpoint is written aside, every file is flushed to the disk, a manifest with sizes and hashes
comes last, and only then does the folder get its name. A crash at any point leaves the one before.
Nothing here needs torch: the services ask whether a run has a checkpoint to go on from.
"""

import errno
import hashlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from engine.core.errors import UserError
from engine.core.recipe import RENAMED, Recipe
from engine.files import sha256_of_file
from engine.methods.training_rows import Columns

# fields that earlier recipes lack, and what they mean by that
NEWER = {"split_answers": False, "replay_rows": 0, "replay_weight": 1.0, "replay_dataset": None}
FOLDER = "checkpoints"  # in the folder of a job
MANIFEST = "manifest.json"
KEPT = 2  # the newest, and one older until the next is whole
_NAME = "ckpt-{:09d}"
_WHOLE = re.compile(r"ckpt-\d{9}")
_PARTIAL = "ckpt.tmp-"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# safetensors writes in Rust, and says the number of the error in words
_FULL_IN_WORDS = re.compile(rf"os error ({'|'.join(map(str, _FULL))})\b")


class Origin(NamedTuple):
    """Hashes of what a state was trained from: it fits no other recipe and no other data."""

    config: str
    data: str


class Manifest(BaseModel):
    """`files` maps a name to its size in bytes and its SHA-256."""

    model_config = ConfigDict(frozen=True)

    step: int
    config: str
    data: str
    files: dict[str, tuple[int, str]]


class SavedState(NamedTuple):
    step: int
    path: Path


def origin(recipe: Recipe, rows: Iterable[Columns]) -> Origin:
    """The hashes of a recipe and of the rows it learns from, in their order.

    Where the run is also written changes nothing of what is learned.
    """
    digest = hashlib.sha256()
    for row in rows:
        digest.update(json.dumps(row, sort_keys=True, default=str).encode() + b"\n")
    unset = {name for name, usual in NEWER.items() if getattr(recipe, name, usual) == usual}
    settings = recipe.model_dump_json(exclude={"trackers", *unset})
    for old, new in RENAMED.items():  # a checkpoint of 0.1.0 still belongs to its run
        settings = settings.replace(f'"{new}":', f'"{old}":', 1)
    config = f"{recipe.KIND} {settings}"
    return Origin(hashlib.sha256(config.encode()).hexdigest(), digest.hexdigest())


def commit(
    folder: Path,
    step: int,
    source: Origin,
    fill: Callable[[Path], None],
    reached: Callable[[str], None] = lambda _: None,
) -> Path:
    """The new checkpoint of `step`, whole and on the disk; `fill` writes its files.

    `reached` hears of every boundary at which a crash could fall. UserError on a full disk, with
    what was written so far taken away.
    """
    partial = folder / f"{_PARTIAL}{uuid.uuid4().hex}"
    try:
        partial.mkdir(parents=True)
        fill(partial)
        reached("filled")
        _seal(partial, step, source, reached)
        place = folder / _NAME.format(step)
        shutil.rmtree(place, ignore_errors=True)  # the same step, from an attempt before
        partial.rename(place)
        reached("renamed")
        _flush(folder)
    except Exception as error:
        shutil.rmtree(partial, ignore_errors=True)
        refuse_full_disk(error)
        raise
    return place


def _seal(partial: Path, step: int, source: Origin, reached: Callable[[str], None]) -> None:
    files = {}
    for path in sorted(p for p in partial.rglob("*") if p.is_file()):
        _flush(path)
        files[path.relative_to(partial).as_posix()] = (path.stat().st_size, sha256_of_file(path))
        reached(f"flushed {path.name}")
    manifest = Manifest(step=step, files=files, **source._asdict())
    with (partial / MANIFEST).open("w", encoding="utf-8") as file:
        file.write(manifest.model_dump_json())
        reached("manifest written")
        file.flush()
        os.fsync(file.fileno())
    for place in [partial, *(p for p in partial.rglob("*") if p.is_dir())]:
        _flush(place)
    reached("sealed")


def newest_verified(folder: Path, source: Origin | None = None) -> SavedState | None:
    """The highest step whose files are all as their manifest says; None when there is none.

    With `source` only one that was trained from exactly that.
    """
    for path in reversed(_whole(folder)):
        found = _verified(path)
        if found and (source is None or source == Origin(found.config, found.data)):
            return SavedState(found.step, path)
    return None


def exists(folder: Path) -> bool:
    """Whether there is a finished checkpoint; its files are not looked at, which takes long."""
    return bool(_whole(folder))


def at(folder: Path, step: int) -> Path | None:
    """The verified checkpoint of one step; None when it is gone or was changed."""
    path = folder / _NAME.format(step)
    return path if _verified(path) else None


def rotate(folder: Path, keep: Iterable[int] = ()) -> None:
    """Remove all but the newest and the steps in `keep`, and whatever was left unfinished."""
    sweep(folder)
    kept = {_NAME.format(step) for step in keep}
    for path in _whole(folder)[:-KEPT]:
        if path.name not in kept:
            shutil.rmtree(path, ignore_errors=True)


def sweep(folder: Path) -> None:
    """Remove the folders that a crash left unfinished."""
    for path in folder.glob(f"{_PARTIAL}*"):
        shutil.rmtree(path, ignore_errors=True)


def lend(folder: Path, to: Path) -> None:
    """Give another run the checkpoints of `folder`, without a second copy on the disk."""
    for path in _whole(folder):
        shutil.copytree(path, to / path.name, copy_function=os.link)


def clear(folder: Path) -> None:
    """Remove all checkpoints."""
    shutil.rmtree(folder, ignore_errors=True)


def refuse_full_disk(error: Exception) -> None:
    """Raise UserError when `error` says that the disk, or what one may use of it, is full."""
    full = isinstance(error, OSError) and error.errno in _FULL
    if full or _FULL_IN_WORDS.search(str(error)):
        raise UserError(
            "The disk is full: the training's state could not be saved.",
            "Free some space; the run can then go on from its last checkpoint.",
        ) from None


def _whole(folder: Path) -> list[Path]:
    """The finished checkpoints, by rising step."""
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.iterdir() if _WHOLE.fullmatch(p.name) and p.is_dir())


def _verified(path: Path) -> Manifest | None:
    try:
        manifest = Manifest.model_validate_json((path / MANIFEST).read_text(encoding="utf-8"))
        for name, (size, digest) in manifest.files.items():
            file = path / name
            if file.stat().st_size != size or sha256_of_file(file) != digest:
                return None
    except (OSError, ValidationError, UnicodeDecodeError):
        return None
    return manifest


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
