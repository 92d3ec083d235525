"""Atomic files, whole or not there: written aside, flushed to the disk, renamed; hashes, sizes."""

import errno
import fcntl
import hashlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_ISDIR
from typing import IO

from engine.core.errors import UserError

PIECE = 2**20  # bytes
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


def pieces(path: Path) -> Iterator[bytes]:
    """The content of a file, a mebibyte at a time."""
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Let no other process of this machine go on in such a block of this folder until it ends."""
    held = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # a disk that knows no locks
            fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


@contextmanager
def scratch_folder(parent: Path) -> Iterator[Path]:
    """A folder for the length of the block."""
    parent.mkdir(parents=True, exist_ok=True)
    path = Path(tempfile.mkdtemp(dir=parent))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def checked_new_folder(out: Path) -> None:
    """Before long work: UserError where `out` is there already or could not be made."""
    _checked_new(out, "folder")


def write_new(path: Path, content: bytes) -> None:
    """Write a file that is not there yet; UserError where it is, or cannot be made."""
    _checked_new(path, "file")
    with _saying_why_not(path, "file"):
        write_atomic(path, content)


def _checked_new(out: Path, kind: str) -> None:
    with _saying_why_not(out, kind):
        if out.exists() or out.is_symlink():
            raise UserError(f"{out} is there already.", f"Name a new {kind}.")
        there = next(folder for folder in out.absolute().parents if folder.exists())
        if not there.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        if not os.access(there, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A folder to fill; it becomes `out` at the end of the block, so that is whole or not there.

    UserError where `out` is there already, cannot be made, or the disk is full.
    """
    checked_new_folder(out)
    aside = out.with_name(f".{out.name}-{uuid.uuid4().hex[:8]}")
    try:
        with _saying_why_not(out, "folder"):
            aside.mkdir(parents=True)
            yield aside
            aside.rename(out)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


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


@contextmanager
def _saying_why_not(out: Path, kind: str) -> Iterator[None]:
    try:
        with _saying_no_room():
            yield
    except OSError as error:
        raise UserError(
            f"{out} can't be written: {error.strerror}.", f"Name a {kind} that may be made."
        ) from None


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
    return sum(size for _, size, _ in _by_age(folder))


def drop_oldest(folder: Path, before: float, most_bytes: int = 0) -> None:
    """Remove files that nobody wrote since `before`, the oldest first, until the rest fits."""
    found = _by_age(folder)
    left = sum(size for _, size, _ in found)
    for written, size, file in found:
        if left <= most_bytes or written >= before:
            return
        file.unlink(missing_ok=True)
        left -= size


def _by_age(folder: Path) -> list[tuple[float, int, Path]]:
    """When each file in a folder and below was written last, the longest ago first; its bytes."""
    found: list[tuple[float, int, Path]] = []
    for file in folder.rglob("*"):
        with suppress(FileNotFoundError):  # somebody renames or removes it at this moment
            known = file.lstat()
            if not S_ISDIR(known.st_mode):
                found.append((known.st_mtime, known.st_size, file))
    return sorted(found)
