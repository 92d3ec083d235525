"""Rows of a file, read in a process of its own where a hostile file could hurt this one.

Run as `python -m engine.formats.isolated` with the question as JSON on its input: it prints JSON
lines, the rows one by one and last either "end" or "error". Nothing is unpickled.
"""

import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from engine.core.child_environment import for_files
from engine.core.errors import NotFound, UserError
from engine.core.parsed_file import BrokenRow
from engine.formats.files import any_file
from engine.formats.files.loaded_file import FirstLine, LoadedFile

SMALL = 256 * 1024  # bytes of plain text
MEMORY = 4 * 1024**3  # bytes of address space
WALL_S = 3600  # a busy machine may take long for few processor seconds
CPU_S = 240
READERS = threading.BoundedSemaphore(2)  # each may take gigabytes
OUTPUT = 2 * 1024**3  # bytes of JSON lines
CONTAINERS = (b"PK", b"PAR1", any_file.GZIP)
SPLIT = "Save it again, or give a part of it."


def rows_of(path: Path, name: str, known: frozenset[str], sheet: str | None = None) -> LoadedFile:
    """The rows of the file, of a workbook those of `sheet`.

    UserError when they cannot be read within the limits.

    A small plain text is read here: it cannot unpack to more than it is, the parsers for it are
    Python's own, and starting a process takes ten times as long as reading it.
    """
    if not path.is_file():
        raise NotFound(f"There is no file {name!r}.", "Check the path.")
    if is_small(path):
        return any_file.rows_of(path, name, known, sheet)
    with tempfile.TemporaryFile("w+", encoding="utf-8") as out:
        _run(path, name, known, sheet, out)
        out.seek(0)
        return collected(out, name)


def is_small(path: Path) -> bool:
    """Whether the file is so small a plain text that reading it here can hurt nobody."""
    with path.open("rb") as file:
        start = file.read(4)
    return path.stat().st_size <= SMALL and not start.startswith(CONTAINERS)


def _run(path: Path, name: str, known: frozenset[str], sheet: str | None, out: IO[str]) -> None:
    file = {"name": name, "path": str(path.resolve()), "known": sorted(known), "sheet": sheet}
    asked = {**file, "memory": MEMORY, "cpu_s": CPU_S}
    limits = {"OMP_NUM_THREADS": "1", "ARROW_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
    try:
        with READERS:
            done = subprocess.run(
                [sys.executable, "-m", "engine.formats.isolated"],
                input=json.dumps(asked).encode(),
                stdout=out,
                stderr=subprocess.DEVNULL,
                timeout=WALL_S,
                env={**for_files(os.environ), **limits},
                cwd=Path(__file__).parents[2],
            )
    except subprocess.TimeoutExpired:
        raise too_slow(name, WALL_S) from None
    if done.returncode == -signal.SIGXCPU:
        raise too_long(name, CPU_S)


def dump(loaded: LoadedFile, path: Path) -> None:
    """Write a file that `collected` reads; rows nested too deeply become broken ones."""
    with path.open("w", encoding="utf-8", errors="backslashreplace") as out:
        out.writelines(map(_line, _messages(loaded)))


def collected(lines: IO[str], name: str) -> LoadedFile:
    """What the process printed or `dump` wrote; UserError when it says so or has no end."""
    found = LoadedFile([], [])
    for line in lines:
        kind, value = _message(line, name)
        if kind == "row":
            found.rows.append((value[0], value[1]))
        elif kind == "broken":
            found.broken.append(BrokenRow(*value))
        elif kind == "error":
            raise UserError(*value)
        elif kind == "end":
            return found._replace(**_facts(value))
    raise overwhelmed(name)


def _facts(value: Any) -> dict[str, Any]:
    """What stands beside the rows, as the fields of LoadedFile; a staged file may lack new ones."""
    return {
        "encoding": value["encoding"],
        "notes": tuple(value["notes"]),
        "parts": tuple((name, count) for name, count in value["parts"]),
        "headers": tuple(FirstLine(row, tuple(cells)) for row, cells in value.get("headers", ())),
        "sheets": tuple(value.get("sheets", ())),
        "sides": tuple((row, side) for row, side in value.get("sides", ())),
    }


def _message(line: str, name: str) -> tuple[str, Any]:
    try:
        kind, value = json.loads(line)
    except (ValueError, RecursionError):  # cut at the limit of the output
        raise overwhelmed(name) from None
    return kind, value


def too_slow(name: str, seconds: float) -> UserError:
    """What to say of a file whose reader was stopped by the clock."""
    return UserError(f"{name} takes more than {seconds} seconds to read.", SPLIT)


def too_long(name: str, seconds: int) -> UserError:
    """What to say of a file whose reader used up its processor time."""
    return UserError(f"{name} takes more than {seconds} seconds of processor time to read.", SPLIT)


def overwhelmed(name: str) -> UserError:
    """What to say of a file whose reader ended without an answer."""
    return UserError(f"{name} cannot be read: its content exceeds the limits of the reader.", SPLIT)


def main() -> None:
    """Print the rows of the file that is asked for, within the limits of this process."""
    asked = json.loads(sys.stdin.read())
    resource.setrlimit(resource.RLIMIT_AS, (asked["memory"], asked["memory"]))
    resource.setrlimit(resource.RLIMIT_CPU, (asked["cpu_s"], asked["cpu_s"] + 5))
    resource.setrlimit(resource.RLIMIT_FSIZE, (OUTPUT, OUTPUT))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    fileno = sys.stdout.fileno()
    with open(fileno, "w", encoding="utf-8", errors="backslashreplace", closefd=False) as out:
        file = Path(asked["path"]), asked["name"], frozenset(asked["known"]), asked["sheet"]
        for line in _read(*file):
            out.write(_line(line))
    # Everything is written. A library may still abort while the interpreter ends (pyarrow does in
    # one of thirty), and a sound file would be called damaged.
    os._exit(0)


def _line(line: tuple[str, Any]) -> str:
    try:
        return json.dumps(line, ensure_ascii=False, default=_plain) + "\n"
    except (RecursionError, ValueError):
        return json.dumps(("broken", (line[1][0], "is nested too deeply"))) + "\n"


def _read(
    path: Path, name: str, known: frozenset[str], sheet: str | None
) -> Iterator[tuple[str, Any]]:
    try:
        found = any_file.rows_of(path, name, known, sheet)
    except UserError as error:
        yield "error", [error.problem, error.fix]
        return
    except (MemoryError, RecursionError):
        yield "error", [f"{name} needs more memory to read than it may take.", SPLIT]
        return
    yield from _messages(found)


def _messages(found: LoadedFile) -> Iterator[tuple[str, Any]]:
    yield from (("row", row) for row in found.rows)
    yield from (("broken", flaw) for flaw in found.broken)
    facts = found._asdict()
    yield "end", {name: facts[name] for name in facts if name not in ("rows", "broken")}


def _plain(value: Any) -> str | None:
    """Dates and decimals as text; bytes as nothing, for no model reads them."""
    return None if isinstance(value, bytes) else str(value)


if __name__ == "__main__":
    main()
