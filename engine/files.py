"""Files that are either whole or not there: written aside, flushed to the disk, renamed."""

import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from engine.core.errors import UserError

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def no_room() -> UserError:
    """What to say when a disk is full."""
    return UserError("The disk is full; nothing was saved.", "Free some space and try again.")


def write_atomic(path: Path, content: bytes) -> None:
    """Write so that a crash leaves the old file or the new one; UserError on a full disk."""
    _write(path, lambda file: file.write(content))


def write_lines(path: Path, lines: Iterable[bytes]) -> None:
    """The same, line by line; what `lines` raises leaves the old file."""
    _write(path, lambda file: file.writelines(lines))


def move_whole(aside: Path, path: Path) -> None:
    """Put a file that was written on the same disk in its place, flushed; UserError as above."""
    with _saying_no_room():
        path.parent.mkdir(parents=True, exist_ok=True)
        with aside.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(aside, path)
    _flush_folder(path.parent)


@contextmanager
def scratch_folder(parent: Path) -> Iterator[Path]:
    """A folder for the length of the block."""
    parent.mkdir(parents=True, exist_ok=True)
    path = Path(tempfile.mkdtemp(dir=parent))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _write(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
    try:
        with _saying_no_room(), os.fdopen(handle, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
            os.replace(name, path)
    except (OSError, UserError):
        Path(name).unlink(missing_ok=True)
        raise
    _flush_folder(path.parent)


@contextmanager
def _saying_no_room() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in NO_ROOM:
            raise no_room() from None
        raise


def _flush_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def sha256_of_file(path: Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal; read piece by piece."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def bytes_in(folder: Path) -> int:
    """The bytes of all files in a folder and below; links count as themselves."""
    return sum(file.lstat().st_size for file in folder.rglob("*") if file.is_file())
