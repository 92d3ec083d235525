"""A real server in a process of its own, on a free port of this machine."""

import fcntl
import http.client
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TextIO

import psutil

START_S = 300.0  # a busy machine imports Gradio slowly; a server that ends is noticed at once
PORTS = range(20_000, 30_000)
_KEPT: list[TextIO] = []  # a closed file would give its port back
TUNELOOP = ("-m", "engine", "serve", "--port", "{port}")


class Served(NamedTuple):
    """A running server; `asked_at` and `answered_at` are seconds since the epoch."""

    port: int
    process: psutil.Process
    asked_at: float
    answered_at: float

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def cpu_s(self) -> float:
        """CPU seconds of the web process since it was started."""
        used = self.process.cpu_times()
        return used.user + used.system

    @property
    def megabytes(self) -> float:
        """The web process's resident memory; its worker and that one's jobs are not in it."""
        return self.process.memory_info().rss / 2**20

    @property
    def worker_megabytes(self) -> float:
        """The resident memory of the worker that `serve` started."""
        return sum(each.memory_info().rss for each in self.process.children()) / 2**20


def free_port() -> int:
    """A port that nothing listens on, kept for this process as long as it lives.

    Below the ports that the system hands out by itself, and locked among test processes: between
    the choice and the start of the server nobody else takes it.
    """
    folder = Path(tempfile.gettempdir()) / f"tuneloop-test-ports-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    first = PORTS[os.getpid() * 7 % len(PORTS)]
    for port in (*range(first, PORTS.stop), *range(PORTS.start, first)):
        kept = (folder / str(port)).open("w")
        try:
            fcntl.flock(kept, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            kept.close()
            continue
        _KEPT.append(kept)
        return port
    raise RuntimeError("every port for tests is taken")


@contextmanager
def serving(
    environment: Mapping[str, str],
    log: Path,
    *,
    program: Sequence[str] = TUNELOOP,
    port: int | None = None,
    folder: Path | None = None,
) -> Iterator[Served]:
    """`python PROGRAM` under these variables and PORT until the block ends, /health answered.

    What the program says goes to `log`; `{port}` in its arguments is the port. A server that was
    killed meanwhile is fine.
    """
    port = port or free_port()
    asked_at = time.time()
    with log.open("ab") as out:
        started = subprocess.Popen(
            [sys.executable, *(part.format(port=port) for part in program)],
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PORT": str(port), **environment},
            cwd=folder,
        )
    try:
        answered_at = _answered(started, port, log)
        yield Served(port, psutil.Process(started.pid), asked_at, answered_at)
    finally:
        started.terminate()
        try:
            started.wait(30)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


def _answered(started: subprocess.Popen[bytes], port: int, log: Path) -> float:
    """When the server first answered; a RuntimeError with its last words when it never did."""
    until = time.time() + START_S
    while time.time() < until and started.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.request("GET", "/health")
            if connection.getresponse().status == 200:
                return time.time()
        except (OSError, http.client.HTTPException):
            time.sleep(0.02)
        finally:
            connection.close()
    raise RuntimeError(f"the server did not answer: {log.read_text()[-3000:]}")
