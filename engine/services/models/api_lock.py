"""The lock that the process of the API holds for as long as it lives, and what it wrote in it."""

import fcntl
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from engine.core.errors import Conflict

NAME = "api.lock"  # in the data folder
PATIENCE_S = 20.0  # the process of the server before this one may be leaving
LOOK_EVERY_S = 0.1


class Holder(BaseModel):
    """Who holds the lock; `address` is empty until it answers, `pid` 0 until that is known."""

    model_config = ConfigDict(frozen=True)

    pid: int = 0
    machine: str = ""
    address: str = ""


class Lock:
    """The lock of a process that holds it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, address: str = "") -> None:
        """Write who holds it and where it answers."""
        held = Holder(pid=os.getpid(), machine=socket.gethostname(), address=address)
        self._path.write_text(held.model_dump_json())


@contextmanager
def held(home: Path) -> Iterator[Lock]:
    """Hold the lock until the block ends; Conflict where another process keeps it."""
    path, until = home / NAME, time.monotonic() + PATIENCE_S
    with path.open("a") as file:
        while not _taken(file.fileno(), fcntl.LOCK_EX):
            if time.monotonic() > until:
                raise Conflict("The API is running already.", "Stop it before you start another.")
            time.sleep(LOOK_EVERY_S)
        lock = Lock(path)
        lock.write()
        yield lock


def holder(home: Path) -> Holder | None:
    """Who holds the lock; None where nobody does, whatever is written in it."""
    try:
        with (home / NAME).open() as file:
            if _taken(file.fileno(), fcntl.LOCK_SH):
                return None
            return Holder.model_validate_json(file.read())
    except FileNotFoundError:
        return None
    except ValidationError:
        return Holder()  # it is being written


def end_with_parent(parent: int, leaving: threading.Event) -> None:
    """Send this process SIGTERM, in a thread, once `parent` is no longer its parent."""

    def watch() -> None:
        while not leaving.wait(1.0):
            if os.getppid() != parent:
                os.kill(os.getpid(), signal.SIGTERM)
                return

    threading.Thread(target=watch, daemon=True).start()


def _taken(file: int, how: int) -> bool:
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
