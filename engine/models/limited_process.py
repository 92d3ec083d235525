"""Processes that run what a brought model's files ask for, under limits of time and memory.

The web process serves everybody. Each process is told once what it is for and then answers a line
of JSON with one; it ends when its input does. A limit that it breaks ends it and nothing else.
"""

import atexit
import json
import os
import resource
import select
import subprocess
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from engine.core.child_environment import for_files
from engine.core.errors import UserError


class LimitedProcess:
    """One running process; a call at a time."""

    def __init__(self, module: str, opening: str, wall_s: float) -> None:
        self._lock = threading.Lock()
        self._wall_s = wall_s
        self._running = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=for_files(os.environ),
            cwd=Path(__file__).parents[2],
        )
        self.opened = self._exchange(opening)

    def ask(self, line: str) -> tuple[str, Any]:
        """The kind of its answer and the answer; EOFError where it broke down."""
        with self._lock:
            return self._exchange(line)

    def end(self) -> None:
        """Kill it; nothing is lost."""
        self._running.kill()
        self._running.wait()

    def _exchange(self, line: str) -> tuple[str, Any]:
        assert self._running.stdin is not None
        assert self._running.stdout is not None
        try:
            self._running.stdin.write(line.encode() + b"\n")
            self._running.stdin.flush()
            answer = _line(self._running.stdout, time.monotonic() + self._wall_s)
        except BrokenPipeError:
            raise EOFError from None
        if not answer.endswith(b"\n"):
            raise EOFError
        kind, value = json.loads(answer)
        return kind, value


class LimitedProcesses:
    """The `most` processes of one module that were used last, by what each of them is for.

    `broken` is said where one breaks a limit; `wall_s` is for machines that are busy, beside the
    limits of processor time and memory that the process sets itself.
    """

    def __init__(
        self, module: str, most: int, broken: Callable[[], UserError], wall_s: float
    ) -> None:
        self._module, self._most, self._broken, self._wall_s = module, most, broken, wall_s
        self._lock = threading.Lock()
        self._known: OrderedDict[str, LimitedProcess] = OrderedDict()
        atexit.register(self.end)

    def ask(self, key: str, opening: str, line: str | None) -> tuple[str, Any]:
        """What the process says to a line, or to its opening; UserError where it can't."""
        try:
            process = self._of(key, opening)
            if process.opened[0] == "error":
                raise UserError(*process.opened[1])
            return process.ask(line) if line is not None else process.opened
        except EOFError:
            self._drop(key)
            raise self._broken() from None

    def _of(self, key: str, opening: str) -> LimitedProcess:
        with self._lock:
            if key not in self._known:
                self._known[key] = LimitedProcess(self._module, opening, self._wall_s)
            self._known.move_to_end(key)
            if len(self._known) > self._most:
                self._known.popitem(last=False)[1].end()
            return self._known[key]

    def _drop(self, key: str) -> None:
        with self._lock:
            process = self._known.pop(key, None)
        if process:
            process.end()

    def end(self) -> None:
        """End all of them."""
        while self._known:
            self._known.popitem()[1].end()


def bound_memory(most: int) -> None:
    """Let this process have so many bytes of address space, and leave no core behind."""
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def allow(seconds: int) -> None:
    """So much processor time more from now on; beyond it the kernel ends this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    spent = int(used.ru_utime + used.ru_stime) + 1
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    until = spent + seconds if most == resource.RLIM_INFINITY else min(spent + seconds, most)
    resource.setrlimit(resource.RLIMIT_CPU, (until, most))


def say(kind: str, value: Any) -> None:
    """Answer whoever asked."""
    sys.stdout.write(json.dumps([kind, value]) + "\n")
    sys.stdout.flush()


def _line(stream: IO[bytes], until: float) -> bytes:
    """One line, read without waiting for ever; what there is when the time or the stream ends."""
    read: list[bytes] = []
    while not (read and read[-1].endswith(b"\n")):
        left = until - time.monotonic()
        ready = left > 0 and select.select([stream], [], [], left)[0]
        piece = os.read(stream.fileno(), 2**16) if ready else b""
        if not piece:
            break
        read.append(piece)
    return b"".join(read)
