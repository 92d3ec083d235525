"""The lock that the process of the API holds for as long as it lives, and what it wrote in it.

There is one for a data folder, whoever starts the API: the Models page, or `tuneloop api`.
"""

import fcntl
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from engine.core.errors import Conflict

NAME = "api.lock"  # in the data folder
PATIENCE_S = 20.0  # the process of the server before this one may be leaving
LOOK_EVERY_S = 0.1

StartedBy = Literal["page", "terminal"]
STARTED_BY: dict[StartedBy, str] = {
    "page": "in the browser",
    "terminal": "in a terminal",
}


class Holder(BaseModel):
    """Who holds the lock; `address` is empty until it answers, `pid` 0 until that is known."""

    model_config = ConfigDict(frozen=True)

    pid: int = 0
    machine: str = ""
    address: str = ""
    started_by: StartedBy = "page"
    open_here: bool = True  # programs on its machine need no key while nobody has an account


class Lock:
    """The lock of a process that holds it."""

    def __init__(self, path: Path, started_by: StartedBy) -> None:
        self._path, self._by = path, started_by

    def write(self, address: str = "", open_here: bool = True) -> None:
        """Write who holds it, where it answers, and whether it asks programs here for a key."""
        held = Holder(
            pid=os.getpid(),
            machine=socket.gethostname(),
            address=address,
            started_by=self._by,
            open_here=open_here,
        )
        self._path.write_text(held.model_dump_json())

    def clear(self) -> None:
        """Write that nobody holds it, while it is still held: who comes next is not called this."""
        self._path.write_text("")


@contextmanager
def held(home: Path, started_by: StartedBy, patience_s: float = PATIENCE_S) -> Iterator[Lock]:
    """Hold the lock until the block ends; Conflict where another process keeps it."""
    path, until = home / NAME, time.monotonic() + patience_s
    with path.open("a") as file:
        while not _taken(file.fileno(), fcntl.LOCK_EX):
            if time.monotonic() > until:
                raise runs_already(holder(home) or Holder())
            time.sleep(LOOK_EVERY_S)
        lock = Lock(path, started_by)
        lock.write()
        try:
            yield lock
        finally:
            lock.clear()


def holder(home: Path) -> Holder | None:
    """Who holds the lock; None where nobody does, whatever is written in it.

    Its process is 0 where it has not written yet who it is: what stands there may be of one that
    was killed.
    """
    try:
        with (home / NAME).open() as file:
            if _taken(file.fileno(), fcntl.LOCK_SH):
                return None
            found = Holder.model_validate_json(file.read())
            return Holder() if _has_ended(found) else found
    except FileNotFoundError:
        return None
    except ValidationError:
        return Holder()  # it is being written


def runs_already(held: Holder) -> Conflict:
    """What to say to somebody who starts another one."""
    where = f" at {held.address}" if held.address else ""
    process = f"process {held.pid} on {held.machine}"
    by = f" (started {STARTED_BY[held.started_by]}, {process})" if held.pid else ""
    return Conflict(
        f"The API is running already{where}{by}.",
        "Use that one, or stop it before you start another.",
    )


def end_with_parent(parent: int, leaving: threading.Event) -> None:
    """Send this process SIGTERM, in a thread, once `parent` is no longer its parent."""

    def watch() -> None:
        while not leaving.wait(1.0):
            if os.getppid() != parent:
                os.kill(os.getpid(), signal.SIGTERM)
                return

    threading.Thread(target=watch, daemon=True).start()


def _has_ended(found: Holder) -> bool:
    if found.machine != socket.gethostname():
        return False  # another machine's processes are not known here
    try:
        os.kill(found.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # somebody else's, and alive
        return False
    return False


def _taken(file: int, how: int) -> bool:
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
