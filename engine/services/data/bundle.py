"""Several files that belong together, such as train and test, as one archive."""

import re
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from engine.core.errors import NotFound, UserError
from engine.files import scratch_folder
from engine.formats.files.split_names import HELD_OUT, TRAIN
from engine.services.data import datasets
from engine.workspace import Workspace

MOST = 20


@contextmanager
def together(ws: Workspace, files: Sequence[Path]) -> Iterator[tuple[Path, str]]:
    """One file that holds them all, and its name; the one file itself where it is one.

    NotFound for a missing one, UserError for too many or too much.
    """
    for file in files:
        if not file.is_file():
            raise NotFound(f"There is no file {file.name!r}.", "Check the path.")
    if len(files) == 1:
        yield files[0], files[0].name
        return
    if len(files) > MOST:
        raise UserError(f"{len(files)} files are too many at once.", f"Give at most {MOST}.")
    if sum(file.stat().st_size for file in files) > datasets.MAX_BYTES:
        limit = datasets.MAX_BYTES // 2**20
        raise UserError(f"The files are larger than {limit} MB together.", "Give fewer of them.")
    with scratch_folder(ws.files / "cache" / "making") as folder:
        packed = folder / "files.zip"
        with zipfile.ZipFile(packed, "w") as archive:
            for number, file in enumerate(files):
                same = any(other.name == file.name for other in files[:number])
                archive.write(file, f"{file.parent.name}/{file.name}" if same else file.name)
        yield packed, f"{_common(files)}.zip"


def _common(files: Sequence[Path]) -> str:
    """What the names share without the words of a split, or the name of their folder."""
    words = [re.findall(r"[^\W_]+", datasets.stem(file.name)) for file in files]
    kept = [
        word
        for word in words[0]
        if word.lower() not in TRAIN | HELD_OUT and all(word in other for other in words)
    ]
    return "-".join(kept) or files[0].resolve().parent.name or "data"
