"""Backup and restore of the database: a copy taken while people vote, and its way back."""

import os
import uuid
from pathlib import Path

from pydantic import BaseModel
from sqlalchemy import make_url

from engine.core.actor import Actor, Role
from engine.core.errors import Conflict, UserError
from engine.store import accounts, browsers, sessions
from engine.store.connect import open_database, reading, writing
from engine.store.database_copies import (
    check_copy,
    check_readable,
    copy_to,
    count_rows,
    place_copy,
)
from engine.workspace import MARK, Settings, Workspace

MAY_BE_THERE = {"files", MARK}  # copied into the home before the database is restored


class Restored(BaseModel):
    """The database that was put in place, and what it holds."""

    database: Path
    projects: int
    votes: int
    files_present: bool  # the folder `files` (datasets, models) lies beside it


def make(ws: Workspace, actor: Actor, target: Path) -> Path:
    """The copy; it holds every vote that was answered before. Conflict where a file is there."""
    actor.require(Role.OWNER)
    if target.exists():
        raise Conflict(f"{target} is there already.", "Name a new file.")
    copy_to(ws.db, target)
    target.chmod(0o600)  # it holds votes, texts and the hashes of passwords
    return target


def restore(settings: Settings, actor: Actor, source: Path) -> Restored:
    """Put the backup `source` into the empty home of `settings`, at the newest revision.

    Sessions and unused sign-in links are removed, so that nothing that was ended after the backup
    opens again. UserError for a file that is no backup, or for a database on a server; Conflict
    for a home that is not empty. What fails leaves the home as it was.
    """
    actor.require(Role.OWNER)
    target = _target(settings)
    number = check_copy(source)
    _check_empty(settings.home, target, number)
    aside = target.with_name(f".restore-{uuid.uuid4().hex}")
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        place_copy(source, aside)
        projects, votes = _migrate_copy(aside, source.name)
        os.link(aside, target)  # unlike a rename, never over a database that came meanwhile
    except FileExistsError:
        raise Conflict(f"{target} is there already.", "Restore into an empty folder.") from None
    except OSError as error:
        raise UserError(
            f"The database can't be put into {settings.home}: {error.strerror}.",
            "Choose a folder that has room and that you may write to.",
        ) from None
    finally:
        for left in aside.parent.glob(f"{aside.name}*"):
            left.unlink()
    return Restored(
        database=target,
        projects=projects,
        votes=votes,
        files_present=(settings.home / "files").is_dir(),
    )


def _target(settings: Settings) -> Path:
    url = make_url(settings.database_url)
    if not url.drivername.startswith("sqlite") or not url.database:
        raise UserError(
            "The database is on a PostgreSQL server.",
            "Restore a dump into an empty database there with pg_restore or psql.",
        )
    return Path(url.database)


def _check_empty(home: Path, target: Path, number: int) -> None:
    """Conflict where the home, or the place of the database, holds anything that would be lost."""
    if target.exists():
        raise Conflict(
            f"There is a database already: {target}.",
            "Move it away, or set TUNELOOP_HOME to an empty folder.",
        )
    present = {path.name for path in home.iterdir()} if home.is_dir() else set()
    if present - MAY_BE_THERE:
        names = ", ".join(sorted(present - MAY_BE_THERE)[:3])
        raise Conflict(
            f"The data folder {home} is not empty: it holds {names}.",
            "Set TUNELOOP_HOME to an empty folder, or to one that holds only the folder files.",
        )
    mark = home / MARK
    if mark.exists() and mark.read_text() not in ("", str(number)):
        raise Conflict(
            f"The files in {home} belong to another database.",
            "Use the backup of the same database, or an empty folder.",
        )


def _migrate_copy(path: Path, name: str) -> tuple[int, int]:
    """Migrate the copy and end every session in it; its projects and votes are counted.

    UserError where what it holds can't be read.
    """
    db = open_database(f"sqlite:///{path}")
    try:
        with writing(db) as conn:
            sessions.end_everywhere(conn)
            browsers.drop_all(conn)
            accounts.drop_links(conn)
        with reading(db) as conn:
            check_readable(conn, name)
            return count_rows(conn)
    finally:
        db.dispose()
