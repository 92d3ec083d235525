"""Files of the Hub into a folder: piece by piece, going on where an earlier attempt stopped.

A file gets its name only when its bytes have the hash that the Hub lists for the commit; until then
it is called `NAME.part`, which nothing loads.
"""

import hashlib
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from engine.core.errors import Unavailable, UserError
from engine.core.hub import SPARE_BYTES, HubFile
from engine.core.units import memory_words
from engine.files import NO_ROOM, no_room
from engine.models.hub import client

PART = ".part"
SILENT_S = 8.0  # a connection that brings nothing for so long is made anew
TRIES = 6  # in a row that bring nothing
WAIT_S = 1.0  # before the second try; each later one waits twice as long

Progress = Callable[[int, str], None]


class _Broken(Exception):
    """The connection ended before the file did."""


def room_needed(size: int) -> int:
    """Free bytes that a download of `size` bytes asks for."""
    return size + SPARE_BYTES


def room(folder: Path) -> int:
    """Free bytes on the disk of `folder`, which may not exist yet."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    return shutil.disk_usage(there).free


def fetch(
    name: str,
    revision: str,
    files: Sequence[HubFile],
    folder: Path,
    progress: Progress,
    alive: Callable[[], None],
) -> None:
    """All `files` of the commit in `folder`; the small ones first.

    `progress` hears the bytes that are here of all files and the name of the one under way;
    `alive` may raise to stop, and what has come stays for the next attempt. UserError says what
    broke off and how far it was.
    """
    folder.mkdir(parents=True, exist_ok=True)
    missing = sum(file.bytes - _here(folder, file) for file in files)
    if room(folder) < room_needed(missing):
        raise UserError(
            f"The download takes {memory_words(missing)} and leaves {memory_words(SPARE_BYTES)}"
            f" for everything else; the disk has {memory_words(room(folder))} free.",
            "Free some space and add the model again.",
        )
    done = 0
    for file in sorted(files, key=lambda file: (file.bytes, file.name)):
        _File(name, revision, file, folder, done, progress, alive).fetch()
        done += file.bytes
        progress(done, file.name)


def _here(folder: Path, file: HubFile) -> int:
    whole, part = folder / file.name, folder / (file.name + PART)
    found = whole if whole.is_file() else part
    return min(found.stat().st_size, file.bytes) if found.is_file() else 0


class _File(NamedTuple):
    """One file on its way; `before` are the bytes of those that are here already."""

    model: str
    revision: str
    file: HubFile
    folder: Path
    before: int
    progress: Progress
    alive: Callable[[], None]

    @property
    def part(self) -> Path:
        """Where its bytes are until they are all there."""
        return self.folder / (self.file.name + PART)

    def fetch(self) -> None:
        """Have the whole file; a part of an earlier attempt that turns out wrong is left out."""
        whole = self.folder / self.file.name
        if whole.is_file():
            return
        resumed = self.part.exists()
        self._complete()
        if resumed and not self._sound():
            self.part.unlink()
            self._complete()
        if not self._sound():
            self.part.unlink()
            raise self._another()
        self.part.rename(whole)

    def _complete(self) -> None:
        """All bytes in the part; connections that break are made anew while they bring some."""
        tries, before = 0, -1
        while (here := self._size()) < self.file.bytes or not self.part.exists():
            tries = tries + 1 if here <= before else 0
            before = here
            if tries >= TRIES:
                raise self._broken_off(here)
            _wait(tries, self.alive)
            try:
                self._append(here)
            except _Broken:
                continue
            except client.HubRefusal as error:
                self._check_refusal(error)

    def _append(self, here: int) -> None:
        """What is missing, added to the part; `_Broken` where the connection ends early."""
        path = client.file_path(self.model, self.revision, self.file.name)
        try:
            with client.stream(path, start=here, timeout_s=SILENT_S) as found:
                size = self._write(found)
        except Unavailable:
            raise _Broken from None
        except OSError as error:
            if error.errno in NO_ROOM:
                raise no_room() from None
            raise
        if size < self.file.bytes:
            raise _Broken

    def _write(self, found: client.Stream) -> int:
        size = found.start
        with self.part.open("ab") as out:
            out.truncate(size)
            for piece in found.pieces:
                self.alive()
                size += len(piece)
                if size > self.file.bytes:
                    out.truncate(0)
                    raise self._another()
                out.write(piece)
                self.progress(self.before + size, self.file.name)
        return size

    def _size(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _check_refusal(self, error: client.HubRefusal) -> None:
        """Raise what an error of the Hub means, unless another try may help."""
        if error.status == 416:  # the part is no beginning of this file
            self.part.unlink(missing_ok=True)
        elif error.status not in (408, 429) and error.status < 500:
            raise client.refusal(error, self.model) from None

    def _sound(self) -> bool:
        """Whether the bytes of the part are those that the Hub lists."""
        digest = hashlib.sha256() if self.file.sha256 else hashlib.sha1(usedforsecurity=False)
        if self.file.git_sha1:
            digest.update(f"blob {self.file.bytes}\0".encode())
        with self.part.open("rb") as content:
            while piece := content.read(2**22):
                self.alive()
                digest.update(piece)
        expected = self.file.sha256 or self.file.git_sha1
        return self._size() == self.file.bytes and expected in (None, digest.hexdigest())

    def _broken_off(self, here: int) -> Unavailable:
        return Unavailable(
            f"The connection to the Hugging Face Hub broke off at {memory_words(here)} of"
            f" {memory_words(self.file.bytes)} of {self.file.name}.",
            f"What is here is kept: add {self.model} again, and the download goes on.",
        )

    def _another(self) -> UserError:
        return UserError(
            f"{self.file.name} came with other bytes than the Hub lists for this commit.",
            "Search the model again: it may have changed. Check HF_ENDPOINT if it happens twice.",
        )


def _wait(tries: int, alive: Callable[[], None]) -> None:
    alive()
    until = time.monotonic() + (WAIT_S * 2 ** (tries - 1) if tries else 0)
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(0.5, left))
        alive()
