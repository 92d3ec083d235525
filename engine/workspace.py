"""The workspace: settings from the environment, one database, one folder of files.

An entry point opens it once and passes it on; there is no global one.

    TUNELOOP_HOME           where everything lies; .tuneloop in the current folder by default
    TUNELOOP_DATABASE_URL   sqlite in the home by default; postgresql://user:password@host/name
"""

import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Engine

from engine.core.errors import UserError
from engine.store.connect import open_database


class Settings(BaseModel):
    model_config = ConfigDict(frozen=True)

    home: Path
    database_url: str

    @classmethod
    def from_environment(cls) -> "Settings":
        """The settings that the environment asks for."""
        home = Path(os.environ.get("TUNELOOP_HOME", ".tuneloop")).resolve()
        url = os.environ.get("TUNELOOP_DATABASE_URL", f"sqlite:///{home / 'tuneloop.db'}")
        return cls(home=home, database_url=url)

    def environment(self) -> dict[str, str]:
        """What a child process needs to open the same workspace."""
        return {"TUNELOOP_HOME": str(self.home), "TUNELOOP_DATABASE_URL": self.database_url}


class Workspace:
    """`files` holds artifacts, one folder a job or dataset; names in it are ids, never a user's."""

    def __init__(self, settings: Settings, db: Engine) -> None:
        self.settings = settings
        self.db = db
        self.files = settings.home / "files"

    def close(self) -> None:
        """Give the database connections back."""
        self.db.dispose()


def open_workspace(settings: Settings | None = None) -> Workspace:
    """The workspace, its folders made and its database at the newest revision."""
    settings = settings or Settings.from_environment()
    try:
        (settings.home / "files").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"The data folder {settings.home} can't be made: {error.strerror}.",
            "Set TUNELOOP_HOME to a folder you may write to.",
        ) from None
    return Workspace(settings, open_database(settings.database_url))
