"""Open the database and bring it to the newest revision.

SQLite runs with the journal that loses no acknowledged vote at a power cut: WAL with
synchronous=FULL from 3.51.3 on, where the WAL-reset defect is fixed, and otherwise a rollback
journal with synchronous=EXTRA. NORMAL is never used: it may lose the last commits.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import OperationalError

from engine.core.errors import UserError

MIGRATIONS = Path(__file__).parent / "migrations"
WAL_IS_SAFE = (3, 51, 3)
BUSY_S = 30.0


def open_database(url: str) -> Engine:
    """An engine at the newest revision; UserError when the server or the file can't be opened."""
    if url.startswith("postgresql://"):
        url = url.replace("postgresql://", "postgresql+psycopg://", 1)
    sqlite = url.startswith("sqlite")
    options: dict[str, Any] = {"connect_args": {"timeout": BUSY_S}} if sqlite else {}
    db = create_engine(url, pool_pre_ping=not sqlite, **options)
    if sqlite:
        # SQLite lets writers wait by sleeping, longer each time, so an unlucky one starves; within
        # a process they queue here instead.
        db.update_execution_options(turn=threading.Lock())
        event.listen(db, "connect", _on_sqlite_connect)
        event.listen(db, "begin", _on_sqlite_begin)
    try:
        migrate(db)
    except OperationalError as error:
        raise UserError(
            f"The database can't be opened: {error.orig}.",
            "Check TUNELOOP_DATABASE_URL, that the server runs, and that the disk has room.",
        ) from None
    return db


@contextmanager
def reading(db: Engine) -> Iterator[Connection]:
    """A transaction that only looks; it never waits for a writer's turn."""
    with db.connect().execution_options(reading=True) as conn:
        yield conn


@contextmanager
def writing(db: Engine) -> Iterator[Connection]:
    """A transaction that changes things; commits at the end, rolls back on any error."""
    with db.get_execution_options().get("turn", nullcontext()), db.begin() as conn:
        yield conn


def migrate(db: Engine) -> None:
    """Run the revisions that this database has not seen."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with db.begin() as conn:
        if conn.dialect.name == "postgresql":
            conn.exec_driver_sql("SELECT pg_advisory_xact_lock(7286145)")  # one migrator at a time
        config.attributes["connection"] = conn
        command.upgrade(config, "head")


def _on_sqlite_connect(raw: sqlite3.Connection, _record: object) -> None:
    raw.isolation_level = None  # SQLAlchemy's begin event says BEGIN, not the driver
    wal = sqlite3.sqlite_version_info >= WAL_IS_SAFE
    raw.execute(f"PRAGMA journal_mode={'WAL' if wal else 'DELETE'}")
    raw.execute(f"PRAGMA synchronous={'FULL' if wal else 'EXTRA'}")
    raw.execute("PRAGMA foreign_keys=ON")


def _on_sqlite_begin(conn: Connection) -> None:
    # A writer takes its turn at the start: a lock that is upgraded half-way fails at once instead
    # of waiting its turn.
    reading_only = conn.get_execution_options().get("reading", False)
    conn.exec_driver_sql("BEGIN" if reading_only else "BEGIN IMMEDIATE")
