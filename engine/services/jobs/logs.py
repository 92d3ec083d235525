"""Log files that stay of bounded size, however much a process says."""

import os
from contextlib import suppress
from pathlib import Path

MOST = 20 * 2**20
KEPT = 2**20  # of the end, where a log has grown too large
CUT = b"[earlier lines were dropped: this log had grown too large]\n"


def bound(path: Path, most: int = MOST) -> None:
    """Cut a log to its end where it is larger than `most` bytes; whoever appends to it goes on.

    Its writers have it open for appending, so that their next line follows what is kept.
    """
    with suppress(OSError):
        if path.stat().st_size <= most:
            return
        with path.open("r+b") as file:
            file.seek(-KEPT, os.SEEK_END)
            end = file.read(KEPT)
            file.truncate(0)
            file.seek(0)
            file.write(CUT + end.partition(b"\n")[2])
