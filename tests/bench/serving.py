"""A real `tuneloop serve` for the benches, on a free port of this machine, and what it ran on."""

import http.client
import os
import platform
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil

from engine.core.actor import LOCAL
from engine.core.rating import Round
from engine.services import jobs
from engine.workspace import Workspace
from tests import helpers

START_S = 60.0


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


@contextmanager
def serving(environment: dict[str, str]) -> Iterator[Served]:
    """`tuneloop serve` under these variables, with its worker, until the block ends."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = Path(f"{environment['TUNELOOP_HOME']}.log")
    asked_at = time.time()
    with log.open("wb") as out:
        started = subprocess.Popen(
            [sys.executable, "-m", "engine", "serve", "--port", str(port)],
            stdout=out,
            stderr=subprocess.STDOUT,
            env=os.environ | environment,
        )
    try:
        answered_at = _answered(started, port, log)
        yield Served(port, psutil.Process(started.pid), asked_at, answered_at)
    finally:
        started.terminate()
        started.wait(timeout=START_S)


def _answered(started: subprocess.Popen[bytes], port: int, log: Path) -> float:
    """When the server first answered; a RuntimeError with its log when it never did."""
    until = time.time() + START_S
    while time.time() < until and started.poll() is None:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/health")
            if connection.getresponse().status == 200:
                return time.time()
        except OSError:
            time.sleep(0.02)
        finally:
            connection.close()
    raise RuntimeError(f"the server did not answer: {log.read_text()}")


def rated_round(ws: Workspace, folder: Path, *, pairs: int, overlap: int = 1) -> Round:
    """A round to rate whose answers are there; the job that would write them is taken back."""
    project = helpers.project(ws, "Bench")
    one = helpers.open_round(ws, project.id, folder, pairs=pairs, overlap=overlap)
    assert one.job_id is not None
    jobs.cancel(ws, LOCAL, one.job_id)
    return one


def conditions(ws: Workspace | None = None) -> str:
    """What the numbers depend on, as one line."""
    load = os.getloadavg()[0]
    store = f", {_database(ws)}" if ws else ""
    return (
        f"{os.cpu_count()} cores, load {load:.1f} before, {platform.system()} "
        f"{platform.machine()}, Python {platform.python_version()}{store}"
    )


def _database(ws: Workspace) -> str:
    with ws.db.connect() as conn:
        if conn.dialect.name == "sqlite":
            journal = conn.exec_driver_sql("PRAGMA journal_mode").scalar_one()
            return f"SQLite {sqlite3.sqlite_version} journal={journal}"
        version = conn.exec_driver_sql("SHOW server_version").scalar_one()
        fsync = conn.exec_driver_sql("SHOW fsync").scalar_one()
        return f"PostgreSQL {version.split()[0]} fsync={fsync}"


def spread(milliseconds: Sequence[float]) -> str:
    """Median, 95th and 99th percentile and the worst, in milliseconds."""
    p50, p95, p99 = np.percentile(milliseconds, [50, 95, 99])
    return f"p50 {p50:.0f}  p95 {p95:.0f}  p99 {p99:.0f}  max {max(milliseconds):.0f} ms"
