"""Bring a database to the newest revision with Alembic; imported only where one is missing."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Engine

from engine.core.errors import UserError


def run(db: Engine, migrations: Path) -> None:
    """Run the revisions in this folder that a database has not seen, one process at a time.

    UserError where it has seen some that are not there.
    """
    config = Config()
    config.set_main_option("script_location", str(migrations))
    try:
        with db.begin() as conn:
            if conn.dialect.name == "postgresql":
                conn.exec_driver_sql("SELECT pg_advisory_xact_lock(7286145)")
            config.attributes["connection"] = conn
            command.upgrade(config, "head")
    except CommandError:
        raise UserError(
            "The database was made by a newer Tuneloop than this one.",
            "Install the newer one again, or put a backup from before it in place.",
        ) from None
