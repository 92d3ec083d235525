"""Answers written before: the same weights, prompt and decoding give the same answer again.

One file a model and decoding, in the workspace's cache: the checksum of the rest in the first line,
then entries as JSON. A file that is broken, too large or gone is a miss.
"""

import hashlib
import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from engine.core.job_context import ModelFiles
from engine.core.json_object import JsonObject
from engine.files import sha256_of_file, write_atomic

VERSION = 2  # raise it when the same tokens would be answered otherwise
MOST_BYTES = 2**28  # of all files together
MOST_FILE_BYTES = 2**25
SMALL_BYTES = 2**20
GPU = Path("/dev/nvidiactl")

Stored = TypeVar("Stored", bound=BaseModel)


class AnswerCache:
    """Answers under one key, in memory until `save`."""

    def __init__(self, cache: Path, key: str) -> None:
        self.folder = cache / "answers"
        self.path = self.folder / f"{_sha256(key.encode())}.json"
        self._entries: JsonObject = _read(self.path)
        self._new = False

    def get(self, name: Sequence[int], kind: type[Stored]) -> Stored | None:
        """What is kept under these tokens; None when there is nothing, or nothing readable."""
        try:
            return kind.model_validate(self._entries[_name(name)])
        except (KeyError, ValidationError):
            return None

    def put(self, name: Sequence[int], value: BaseModel) -> None:
        """Keep a value until `save`."""
        self._entries[_name(name)] = value.model_dump(mode="json", exclude_defaults=True)
        self._new = True

    def save(self) -> None:
        """Write what is new; the oldest entries and the oldest files make room."""
        if not self._new:
            return
        content = json.dumps(self._entries).encode()
        while len(content) > MOST_FILE_BYTES and self._entries:
            self._entries = dict(list(self._entries.items())[len(self._entries) // 2 + 1 :])
            content = json.dumps(self._entries).encode()
        write_atomic(self.path, _sha256(content).encode() + b"\n" + content)
        self._new = False
        _make_room(self.folder)


def cache_key(cache: Path, files: ModelFiles, decoding: dict[str, float | int | str]) -> str:
    """What decides a model's answers: the content of its files, how and with what it is asked."""
    digests = Digests(cache)
    parts = [digests.of(folder) for folder in (files.base, files.adapter) if folder]
    digests.save()
    # a GPU answers in bfloat16; whether there is one is asked without loading torch
    device = "gpu" if GPU.exists() else "cpu"
    libraries = [version("torch"), version("transformers")]
    return json.dumps([VERSION, device, libraries, parts, decoding], sort_keys=True)


class Digests:
    """The SHA-256 of folders; of a large file once for each size and time of change."""

    def __init__(self, cache: Path) -> None:
        self.path = cache / "digests.json"
        self._known: JsonObject = _read(self.path)
        self._new = False

    def of(self, folder: Path) -> str:
        """The digest of the names and contents of the files in a model's folder."""
        files = sorted(path for path in folder.iterdir() if path.is_file())
        return _sha256("\n".join(f"{path.name} {self._file(path)}" for path in files).encode())

    def save(self) -> None:
        """Keep what was worked out, of the last 200 files."""
        if self._new:
            content = json.dumps(dict(list(self._known.items())[-200:])).encode()
            write_atomic(self.path, _sha256(content).encode() + b"\n" + content)

    def _file(self, path: Path) -> str:
        about = path.stat()
        # a copy that keeps size and time of change still has an inode and a ctime of its own
        times = f"{about.st_mtime_ns} {about.st_ctime_ns}"
        name = f"{path.resolve()} {about.st_size} {about.st_ino} {times}"
        found = self._known.get(name)
        if isinstance(found, str):
            return found
        digest = sha256_of_file(path)
        if about.st_size > SMALL_BYTES:
            self._known[name] = digest
            self._new = True
        return digest


def _read(path: Path) -> JsonObject:
    try:
        if path.stat().st_size > 2 * MOST_FILE_BYTES:
            return {}
        checksum, _, content = path.read_bytes().partition(b"\n")
        found = json.loads(content) if checksum.decode() == _sha256(content) else {}
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _make_room(folder: Path) -> None:
    """Remove the files that were written longest ago until the rest fits."""
    found = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime)
    total = sum(path.stat().st_size for path in found)
    for path in found[:-1]:
        if total <= MOST_BYTES:
            return
        total -= path.stat().st_size
        path.unlink(missing_ok=True)


def _name(tokens: Sequence[int]) -> str:
    return _sha256(",".join(map(str, tokens)).encode())[:32]


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
