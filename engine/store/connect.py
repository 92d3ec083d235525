"""Open the database and bring it to the newest revision.

SQLite runs with the journal that loses no acknowledged vote at a power cut: WAL with
synchronous=FULL from 3.51.3 on, where the WAL-reset defect is fixed, and otherwise a rollback
journal with synchronous=EXTRA. NORMAL is never used: it may lose the last commits.

What a database can't do for a while (locked, full, gone) is Unavailable: nothing was saved.
"""

import os
import sqlite3
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DataError, DBAPIError, OperationalError, ProgrammingError

from engine.core.errors import NoRoom, Unavailable, UserError
from engine.store import mounts

MIGRATIONS = Path(__file__).parent / "migrations"
NEWEST = max(path.name[:4] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))  # revision
WAL_IS_SAFE = (3, 51, 3)
BUSY_S = 30.0
BUSY = ("The database is busy, so this was not saved.", "Try again in a moment.")
FULL = ("The disk is full, so this was not saved.", "Free some space and try again.")
UNWRITABLE = ("The disk can't be written, so this was not saved.", "Free space, look at the disk.")
READ_ONLY = ("The database can only be read, so this was not saved.",
             "Make its file and the folder around it writable.")  # fmt: skip
GONE = ("The database can't be reached, so this was not saved.", "See that it runs, try again.")
MOVED = ("The database file was removed or replaced while the server runs, so this was not saved.",
         "Stop the server and put the file back, or a backup in its place.")  # fmt: skip
UNSTORABLE = ("This holds a character or a number that can't be stored.",
              "Remove it and try again.")  # fmt: skip
DAMAGED = ("The database file is damaged.", "Stop the server and put a backup in its place.")
SQLITE_SAYS = {
    sqlite3.SQLITE_BUSY: BUSY,
    sqlite3.SQLITE_LOCKED: BUSY,
    sqlite3.SQLITE_READONLY: READ_ONLY,
    sqlite3.SQLITE_CANTOPEN: GONE,
    sqlite3.SQLITE_CORRUPT: DAMAGED,
    sqlite3.SQLITE_NOTADB: DAMAGED,
    sqlite3.SQLITE_IOERR: UNWRITABLE,
    sqlite3.SQLITE_FULL: FULL,
}
# The first two characters of an SQLSTATE: connections, rollbacks such as a deadlock, resources,
# waits that ran out, a server that stops.
POSTGRES_SAYS = {"08": GONE, "40": BUSY, "53": BUSY, "55": BUSY, "57": GONE}
POSTGRES_FULL = "53100"


def open_database(url: str) -> Engine:
    """An engine at the newest revision; UserError when the server or the file can't be opened.

    A file on a mounted bucket or a network file system is refused.
    """
    if url.startswith("postgresql://"):
        url = url.replace("postgresql://", "postgresql+psycopg://", 1)
    sqlite = url.startswith("sqlite")
    named = make_url(url).database
    if sqlite and named and named != ":memory:":
        mounts.refuse_remote(Path(named))
    connect = {"timeout": BUSY_S} if sqlite else {}
    db = create_engine(url, pool_pre_ping=not sqlite, connect_args=connect)
    if sqlite:
        # SQLite lets writers wait by sleeping, longer each time, so an unlucky one starves; within
        # a process they queue here instead.
        db.update_execution_options(turn=threading.Lock())
        event.listen(db, "connect", _on_sqlite_connect)
        event.listen(db, "begin", _on_sqlite_begin)
    try:
        migrate(db)
    except DBAPIError as error:
        raise UserError(
            f"The database can't be opened: {error.orig}.",
            "Check TUNELOOP_DATABASE_URL, that the server runs, and that the disk has room.",
        ) from None
    if sqlite and db.url.database and Path(db.url.database).is_file():
        _stay(db, Path(db.url.database))
    return db


def _stay(db: Engine, file: Path) -> None:
    """Serve this file alone from now on: never a new one in its place, never one that is gone.

    SQLite would make an empty file for a new connection, and write on in a file that was deleted.
    """
    about = file.stat()
    if hasattr(os, "O_PATH"):
        # while somebody holds it no other file gets its number; closing such a descriptor ends
        # none of the locks that SQLite holds
        weakref.finalize(db, os.close, os.open(file, os.O_PATH))
    db.update_execution_options(file=(file, (about.st_dev, about.st_ino)))
    event.listen(db, "do_connect", lambda *_: _check_there(db))


def _check_there(db: Engine) -> None:
    known = db.get_execution_options().get("file")
    if known is None:
        return
    file, identity = known
    try:
        about = file.stat()
    except OSError:
        raise Unavailable(*MOVED) from None
    if (about.st_dev, about.st_ino) != identity:
        raise Unavailable(*MOVED)


@contextmanager
def reading(db: Engine) -> Iterator[Connection]:
    """A transaction that only looks; it never waits for a writer's turn."""
    with _explained(), db.connect().execution_options(reading=True) as conn:
        _check_there(db)
        yield conn


@contextmanager
def writing(db: Engine) -> Iterator[Connection]:
    """A transaction that changes things; commits at the end, rolls back on any error."""
    with _explained(), _turn(db), db.begin() as conn:
        _check_there(db)
        yield conn


def alone(conn: Connection, lock: int) -> None:
    """Let no other transaction that asks for this lock go on until this one ends.

    That is for PostgreSQL: SQLite has one writer anyway. Each lock has a number of its own.
    """
    if conn.dialect.name == "postgresql":
        conn.exec_driver_sql(f"SELECT pg_advisory_xact_lock({lock})")


def migrate(db: Engine) -> None:
    """Run the revisions that this database has not seen."""
    if _revision(db) != NEWEST:
        from engine.store import revisions  # Alembic, which most processes have no use for

        revisions.run(db, MIGRATIONS)


def _revision(db: Engine) -> str | None:
    """The revision of a database; None of one that has none yet or can't say now."""
    with db.connect().execution_options(reading=True) as conn:
        try:
            return conn.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
        except (OperationalError, ProgrammingError):
            return None


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


@contextmanager
def _turn(db: Engine) -> Iterator[None]:
    turn = db.get_execution_options().get("turn")
    if turn is None:
        yield
        return
    if not turn.acquire(timeout=BUSY_S):
        raise Unavailable(*BUSY)
    try:
        yield
    finally:
        turn.release()


@contextmanager
def _explained() -> Iterator[None]:
    """Turns what may pass, or what a person can mend, into its two sentences."""
    try:
        yield
    except (DataError, UnicodeEncodeError, OverflowError) as error:
        raise UserError(*UNSTORABLE) from error
    except DBAPIError as error:
        known = _known_error(error)
        if known is None:
            raise
        raise (NoRoom if known in (FULL, UNWRITABLE) else Unavailable)(*known) from error


def _known_error(error: DBAPIError) -> tuple[str, str] | None:
    if error.connection_invalidated:
        return GONE
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is not None:
        return SQLITE_SAYS.get(code & 0xFF)
    state = getattr(error.orig, "sqlstate", None)
    if state == POSTGRES_FULL:
        return FULL
    if state is None:  # psycopg never reached the server
        return GONE if isinstance(error, OperationalError) else None
    return POSTGRES_SAYS.get(state[:2])
