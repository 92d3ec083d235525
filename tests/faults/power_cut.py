"""What a disk holds when the power goes: a trace of system calls, played back on files in memory.

A write reaches the disk when its file is synced, a deleted name is gone when its folder is synced,
a new name is there at once. At a cut, what was not synced is dropped, or every such write is kept
with one chance in two. Sectors are not torn; writes through mmap are not seen, so there must be
none but those of the -shm file, which SQLite makes anew.
"""

import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

CALL = re.compile(r"^\d+ +(\w+)\((.*)\) += (\d+)")
FILE = re.compile(r"(\d+)<([^>]*)>")
QUOTED = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
TRACED = "openat,pwrite64,write,ftruncate,fsync,fdatasync,unlink"


def unquoted(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


class Op(NamedTuple):
    """`call` on `path`; `number` is an offset or a length."""

    call: str
    path: str
    data: bytes = b""
    number: int = 0
    new: bool = False


def read_trace(trace: Path, under: str) -> Iterator[Op]:
    """What happened to files below `under`, from `strace -f -y -xx`."""
    with trace.open() as lines:
        for line in lines:
            found = CALL.match(line)
            if found and (op := _op(*found.groups())) and op.path.startswith(under):
                yield op


def _op(call: str, arguments: str, result: str) -> Op | None:
    texts = [unquoted(text) for text in QUOTED.findall(arguments)]
    if call == "unlink":
        return Op(call, texts[0].decode())
    if call == "openat":
        return Op(call, texts[-1].decode(), new="O_CREAT" in arguments)
    file = FILE.match(arguments)
    if file is None:
        return None
    path = unquoted(file[2]).decode(errors="replace")
    numbers = arguments.rsplit(", ", 1)
    offset = int(numbers[1]) if call in ("pwrite64", "ftruncate") else 0
    return Op(call, path, texts[0] if texts else b"", offset)


class Disk:
    """Files as programs see them and as the disk holds them; starts with what lies in a folder."""

    def __init__(self, folder: Path) -> None:
        self.durable = {str(p): bytearray(p.read_bytes()) for p in folder.iterdir()}
        self.pending: dict[str, list[Op]] = {}
        self.unlinked: set[str] = set()  # the folder was not synced since

    def play(self, op: Op) -> None:
        """Let one call happen."""
        if op.path.endswith("-shm"):
            return
        if op.call == "openat":
            if op.new and (op.path in self.unlinked or op.path not in self.durable):
                self.durable[op.path] = bytearray()
                self.unlinked.discard(op.path)
        elif op.call == "unlink":
            self.unlinked.add(op.path)
            self.pending.pop(op.path, None)
        elif op.call in ("fsync", "fdatasync"):
            self._sync(op.path)
        elif op.call in ("pwrite64", "ftruncate"):
            self.pending.setdefault(op.path, []).append(op)

    def _sync(self, path: str) -> None:
        for op in self.pending.pop(path, []):
            _apply(self.durable[path], op)
        for name in [name for name in self.unlinked if str(Path(name).parent) == path]:
            self.unlinked.remove(name)
            del self.durable[name]

    def after_a_cut(self, chance: random.Random | None) -> dict[str, bytes]:
        """The files that are found later; with `chance` half of what was not synced is there."""
        found = {path: bytearray(content) for path, content in self.durable.items()}
        if chance:
            for path, ops in self.pending.items():
                for op in ops:
                    if chance.random() < 0.5:
                        _apply(found[path], op)
            for path in self.unlinked:
                if chance.random() < 0.5:
                    del found[path]
        return {path: bytes(content) for path, content in found.items()}


def _apply(content: bytearray, op: Op) -> None:
    if op.call == "ftruncate":
        del content[op.number :]
        content.extend(bytes(op.number - len(content)))
        return
    end = op.number + len(op.data)
    content.extend(bytes(max(0, end - len(content))))
    content[op.number : end] = op.data
