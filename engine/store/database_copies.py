"""Copies of a SQLite database: made while it is used, checked, and put into an empty place."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, func, inspect, select

from engine.core.errors import NotFound, UserError
from engine.store import (
    connect,
    datasets,
    evaluations,
    jobs,
    models,
    pair_exports,
    projects,
    rounds,
)
from engine.store.tables import metadata, project, vote

OURS = {"alembic_version", "project", "vote"}  # tables of every database since revision 0001


def copy_to(db: Engine, target: Path) -> None:
    """Write a sound copy of a SQLite database, as it is at one moment, while others use it.

    `target` must not exist. UserError for a database on a server.
    """
    if db.dialect.name != "sqlite":
        raise UserError("This database is on a PostgreSQL server.", "Copy it with pg_dump.")
    try:
        with closing(_open(Path(str(db.url.database)).resolve().as_uri())) as source:
            source.execute("VACUUM INTO ?", (str(target),))
    except sqlite3.Error as error:
        raise UserError(
            f"The copy can't be made: {error}.", "Name a new file, in a folder that has room."
        ) from None
    _flush(target)


def check_copy(source: Path) -> int:
    """The number that the database in this file carries, 0 for none; nothing is written.

    NotFound where there is no file; UserError where it is no whole database of Tuneloop.
    """
    if not source.is_file():
        raise NotFound(f"There is no file {source}.", "Check the name.")
    with _read_only(source) as conn:
        sound = conn.execute("PRAGMA quick_check").fetchone() == ("ok",)
        names = {name for (name,) in conn.execute("SELECT name FROM sqlite_master")}
        number = int(conn.execute("PRAGMA application_id").fetchone()[0])
    if not sound:
        raise UserError(f"{source.name} is damaged.", "Use another backup.")
    if not names >= OURS:
        raise UserError(f"{source.name} is not a database of Tuneloop.", "Use a file of a backup.")
    return number


def place_copy(source: Path, target: Path) -> None:
    """Write the database in `source` to `target`, whole on the disk when this returns."""
    with _read_only(source) as conn:
        conn.execute("VACUUM INTO ?", (str(target),))
    _flush(target)


def check_readable(conn: Connection, name: str) -> None:
    """UserError where a migrated copy lacks a column, or holds what no page could read.

    Every dataset, model, job, round, evaluation and export is read once; events and votes are not.
    """
    there = inspect(conn).get_multi_columns()
    for table in metadata.sorted_tables:
        names = {each["name"] for each in there.get((None, table.name), ())}
        if not names >= {each.name for each in table.columns}:
            raise UserError(
                f"{name} is not whole: its table {table.name} is not as Tuneloop made it.",
                "Use another backup.",
            )
    try:
        for one in projects.list_all(conn):
            for store in (datasets, models, jobs, rounds, evaluations, pair_exports):
                store.list_all(conn, one.id)
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(
            f"{name} is not whole: {type(error).__name__} in what it holds of a project.",
            "Use another backup.",
        ) from None


def count_rows(conn: Connection) -> tuple[int, int]:
    """How many projects and how many votes (those taken back too) the database holds."""
    known = select(func.count()).select_from(project)
    votes = select(func.count()).select_from(vote).where(vote.c.action == "vote")
    return int(conn.execute(known).scalar_one()), int(conn.execute(votes).scalar_one())


@contextmanager
def _read_only(source: Path) -> Iterator[sqlite3.Connection]:
    address = f"{source.resolve().as_uri()}?mode=ro"
    try:
        with closing(
            sqlite3.connect(address, connect.BUSY_S, isolation_level=None, uri=True)
        ) as conn:
            yield conn
    except sqlite3.DatabaseError as error:
        raise UserError(f"{source.name} can't be read: {error}.", "Use another backup.") from None


def _open(address: str) -> sqlite3.Connection:
    """A connection that waits its turn and begins no transaction by itself."""
    return sqlite3.connect(address, connect.BUSY_S, isolation_level=None, uri=True)


def _flush(path: Path) -> None:
    copy = os.open(path, os.O_RDONLY)
    try:
        os.fsync(copy)
    finally:
        os.close(copy)
