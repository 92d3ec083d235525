"""Task files of a person's own: a copy in the workspace's cache, named by its checksum.

A task file may name Python functions, so it is code. A job names the checksum and never a path:
only who brought the files on this machine's command line can have them run.
"""

import hashlib
from pathlib import Path

from engine.core.errors import UserError
from engine.files import write_atomic

FOLDER = "tasks"
SUFFIXES = (".yaml", ".yml", ".py")
MOST_FILES = 500
MOST_BYTES = 5_000_000


def copy_tasks(cache: Path, source: Path) -> str:
    """Copy the task files under `source`; their checksum. UserError when there are none."""
    found = _contents(source)
    if not any(name.endswith(".yaml") for name in found):
        raise UserError(f"{source} holds no task files.", "Name a folder with .yaml files in it.")
    digest = _digest(found)
    for name, content in found.items():
        write_atomic(cache / FOLDER / digest / name, content)
    return digest


def folder(cache: Path, digest: str) -> Path:
    """Where the files of that checksum lie; UserError when they are gone or not the same."""
    path = cache / FOLDER / digest
    if not path.is_dir() or _digest(_contents(path)) != digest:
        raise UserError(
            "The task files of this run are not in the data folder any more.",
            "Start it again on the command line, with --include-path.",
        )
    return path


def _contents(source: Path) -> dict[str, bytes]:
    if not source.is_dir():
        raise UserError(f"{source} is no folder.", "Name the folder that holds the task files.")
    found: dict[str, bytes] = {}
    for path in sorted(source.rglob("*")):
        if path.suffix not in SUFFIXES or path.is_symlink() or not path.is_file():
            continue
        found[path.relative_to(source).as_posix()] = path.read_bytes()
        if len(found) > MOST_FILES or sum(map(len, found.values())) > MOST_BYTES:
            raise UserError(
                f"{source} holds more than {MOST_FILES} task files or {MOST_BYTES:,} bytes.",
                "Name the folder of the tasks alone.",
            )
    return found


def _digest(contents: dict[str, bytes]) -> str:
    lines = [f"{name} {hashlib.sha256(c).hexdigest()}" for name, c in sorted(contents.items())]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
