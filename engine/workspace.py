"""The workspace: where its folder and its database are, as the environment says; its opening.

An entry point opens it once and passes it on; there is no global one.

    TUNELOOP_HOME           where everything lies; .tuneloop in the current folder by default
    TUNELOOP_DATABASE_URL   sqlite in the home by default; postgresql://user:password@host/name

All other variables: ui/guide/operators.md.
"""

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Engine, make_url

from engine.core.errors import UserError
from engine.store.connect import open_database, reading, writing

# https://huggingface.co/docs/hub/spaces-overview#networking
SPACE_PORTS = (80, 443, 8080)
POSTGRES_PORT = 5432
PAGE_PORT = 7860  # of the web app, where none is asked for
DATABASE = "tuneloop.db"
MARK = "database-id"  # in the home; the database there carries the same number


class Settings(BaseModel):
    model_config = ConfigDict(frozen=True)

    home: Path
    database_url: str
    sign_in: bool = False  # the page asks who somebody is; else whoever reaches it is its owner
    visitors: bool = False  # or, in an open Space, a visitor with projects of their own

    @classmethod
    def from_environment(cls) -> "Settings":
        """The settings that the environment asks for."""
        return cls.in_home(Path(os.environ.get("TUNELOOP_HOME", ".tuneloop")))

    @classmethod
    def in_home(cls, home: Path) -> "Settings":
        """The environment's database, where it names one; else the one in `home`."""
        home = home.resolve()
        url = os.environ.get("TUNELOOP_DATABASE_URL", f"sqlite:///{home / DATABASE}")
        return cls(home=home, database_url=url)

    @property
    def uploads(self) -> Path:
        """Where files lie that browsers send, until they are read."""
        return self.home / "uploads"

    def environment(self) -> dict[str, str]:
        """What a child process needs to open the same workspace."""
        return {"TUNELOOP_HOME": str(self.home), "TUNELOOP_DATABASE_URL": self.database_url}


def in_space() -> bool:
    """Whether this process belongs to a server that runs as a Hugging Face Space."""
    return os.environ.get("TUNELOOP_SPACE") == "1"


class OffSite(Protocol):
    """A second place for what is stored here, on a machine whose own disk does not last."""

    def confirm(self) -> None:
        """Return when every committed vote is there too; Unavailable where it can't be."""
        ...

    def renew(self) -> None:
        """Let go there what was deleted here."""
        ...


class Workspace:
    """`files` holds artifacts, one folder a job or dataset; names in it are ids, never a user's."""

    def __init__(self, settings: Settings, db: Engine) -> None:
        self.settings = settings
        self.db = db
        self.files = settings.home / "files"
        self.off_site: OffSite | None = None

    def confirm_votes(self) -> None:
        """Call before a vote is said to be saved, after its transaction."""
        if self.off_site:
            self.off_site.confirm()

    def close(self) -> None:
        """Give the database connections back."""
        self.db.dispose()


def open_workspace(settings: Settings | None = None) -> Workspace:
    """The workspace, its folders made and its database at the newest revision."""
    settings = settings or Settings.from_environment()
    if in_space():
        _refuse_blocked_port(settings.database_url)
    try:
        _make_private(settings.home)
        (settings.home / "files").mkdir(exist_ok=True)
    except OSError as error:
        raise UserError(
            f"The data folder {settings.home} can't be made: {error.strerror}.",
            "Set TUNELOOP_HOME to a folder you may write to.",
        ) from None
    beside = make_url(settings.database_url).database == str(settings.home / DATABASE)
    mark = settings.home / MARK
    if beside and mark.exists() and not (settings.home / DATABASE).exists():
        raise UserError(
            f"The database {DATABASE} is missing from {settings.home}, whose files are there.",
            "Put it back from a backup, or set TUNELOOP_HOME to a new folder to begin anew.",
        )
    db = open_database(settings.database_url)
    if beside:
        _check_same(db, mark)
    return Workspace(settings, db)


def _refuse_blocked_port(database_url: str) -> None:
    """UserError for a database that a Space can't reach; the connection would hang for minutes."""
    url = make_url(database_url)
    port = url.port or POSTGRES_PORT
    here = url.host in (None, "", "localhost", "127.0.0.1", "::1")
    if here or not url.drivername.startswith("postgres") or port in SPACE_PORTS:
        return
    raise UserError(
        f"A Space reaches other machines at the ports 80, 443 and 8080 alone, and the database is "
        f"at port {port}.",
        "Let the server listen at one of those, such as postgresql://user:password@host:443/name.",
    )


def _make_private(home: Path) -> None:
    """Make the data folder for its owner alone, and close one that everybody could read."""
    home.parent.mkdir(parents=True, exist_ok=True)
    home.mkdir(mode=0o700, exist_ok=True)
    mode = home.stat().st_mode
    if mode & 0o007 and os.access(home, os.W_OK):
        with suppress(PermissionError):  # another person's folder: theirs to close
            home.chmod(mode & 0o7770)


def _check_same(db: Engine, mark: Path) -> None:
    """Let the home remember its database; UserError where another one lies in its place."""
    with reading(db) as conn:
        found = conn.exec_driver_sql("PRAGMA application_id").scalar_one()
    if not found and not mark.exists():
        found = _numbered(db)
    try:
        with mark.open("x") as file:
            file.write(str(found))
    except FileExistsError:
        # empty: another process is about to write what it read in the same database
        if mark.read_text() not in ("", str(found)):
            db.dispose()
            raise UserError(
                f"The database in {mark.parent} is not the one that belongs to its files.",
                f"Put the right one back. If this one is meant, delete the file {MARK} there.",
            ) from None


def _numbered(db: Engine) -> int:
    """The number that the database carries from now on; the first of two processes gives it."""
    with writing(db) as conn:
        if not (found := int(conn.exec_driver_sql("PRAGMA application_id").scalar_one())):
            found = secrets.randbelow(2**31 - 1) + 1
            conn.exec_driver_sql(f"PRAGMA application_id = {found}")
    return found
