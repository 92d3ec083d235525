"""Files that are either whole or not there: written aside, flushed to the disk, renamed."""

import errno
import os
import tempfile
from pathlib import Path

from engine.core.errors import UserError


def write_atomic(path: Path, content: bytes) -> None:
    """Write so that a crash leaves the old file or the new one; UserError on a full disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, aside = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    except OSError as error:
        Path(aside).unlink(missing_ok=True)
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise UserError(
                "The disk is full; nothing was saved.", "Free some space and try again."
            ) from None
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
