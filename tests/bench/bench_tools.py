"""What the benches share: a round to rate, what the numbers depend on, how they are printed."""

import os
import platform
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from engine.core.actor import LOCAL
from engine.core.rating import Round
from engine.services.jobs import lifecycle
from engine.workspace import Workspace
from tests import helpers


def rated_round(ws: Workspace, folder: Path, *, pairs: int, overlap: int = 1) -> Round:
    """A round to rate whose answers are there; the job that would write them is taken back."""
    project = helpers.project(ws, "Bench")
    one = helpers.open_round(ws, project.id, folder, pairs=pairs, overlap=overlap)
    assert one.job_id is not None
    lifecycle.cancel(ws, LOCAL, one.job_id)
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
