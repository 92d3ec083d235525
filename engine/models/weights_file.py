"""The header of a safetensors file, checked without a library, and a fingerprint of its weights.

A file is its length of 8 bytes, a JSON object that says of each tensor what it is and where, and
the tensors (https://huggingface.co/docs/safetensors). Whatever does not fit is refused here, before
a training fails on it.
"""

import hashlib
import json
from math import prod
from pathlib import Path
from typing import Any

from engine.core.errors import UserError

MOST_HEADER = 100 * 2**20  # the format's own limit
BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "I16": 16, "U16": 16,
    "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32, "F64": 64, "I64": 64, "U64": 64,
    "C64": 64, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
}  # fmt: skip
LARGEST, MOST_AXES = 2**63, 64  # beyond them the product alone takes minutes
SAMPLES, BLOCK = 64, 4096  # places in a file, and bytes at each


def check(path: Path) -> None:
    """UserError unless it is a whole file of tensors that lie one behind the other."""
    _check_place(path)
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= min(MOST_HEADER, size - 8):
            raise _broken(path, "its header does not fit into it")
        try:
            header = json.loads(file.read(length))
        except (ValueError, RecursionError):
            raise _broken(path, "its header is not JSON") from None
    tensors = header.items() if isinstance(header, dict) else []
    places = sorted(_place(path, name, about) for name, about in tensors if name != "__metadata__")
    if not places:
        raise _broken(path, "it holds no weights")
    end = 0
    for first, last in places:
        if first != end:
            raise _broken(path, "its weights overlap or leave gaps")
        end = last
    if end != size - 8 - length:
        raise _broken(path, "it is not whole")


def sampled(folder: Path) -> str:
    """A fingerprint of a folder's weights in milliseconds, empty without any.

    It is of names, sizes and blocks spread over each file: other weights differ nearly everywhere.
    """
    digest = hashlib.sha256()
    paths = sorted(folder.glob("*.safetensors"))
    for path in paths:
        size = path.stat().st_size
        digest.update(f"{path.name} {size}\n".encode())
        with path.open("rb") as file:
            for number in range(SAMPLES):
                file.seek(max(0, size - BLOCK) * number // (SAMPLES - 1))
                digest.update(file.read(BLOCK))
    return digest.hexdigest() if paths else ""


def _place(path: Path, name: str, about: Any) -> tuple[int, int]:
    """Where a tensor begins and ends, of the size that its shape and type say."""
    try:
        first, last = about["data_offsets"]
        shape, bits = about["shape"], BITS[about["dtype"]]
        whole = all(type(n) is int and 0 <= n < LARGEST for n in (first, last, *shape))
        fits = whole and len(shape) <= MOST_AXES and (last - first) * 8 == prod(shape) * bits
    except (KeyError, TypeError, ValueError):
        fits = False
    if not fits:
        raise _broken(path, f"its header says nothing usable about {name[:60]!r}")
    return first, last


def _check_place(path: Path) -> None:
    if path.is_symlink() and not _beside(path):
        raise _broken(path, "it leads to a file elsewhere")
    if not path.is_file():  # a folder, or a pipe that nobody ever writes to
        raise _broken(path, "it is no file")


def _beside(path: Path) -> bool:
    """Whether a link stays among the files of a model: the Hub's cache links into its blobs."""
    try:
        target = path.resolve()
    except (OSError, RuntimeError):  # it leads to itself
        return False
    return target.parent == path.parent.resolve() or target.parent.name == "blobs"


def _broken(path: Path, why: str) -> UserError:
    return UserError(f"{path.name} is no sound safetensors file: {why}.", "Save the model again.")
