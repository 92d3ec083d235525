"""A database file that is gone, another one, no database, too new, or half way through a change."""

import os
import sqlite3
from contextlib import closing

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, event

from engine.core.errors import UserError
from engine.store import connect
from engine.workspace import MARK, Settings, open_workspace
from tests import helpers


@pytest.fixture
def settings(home):
    """Of a home that was used and closed; its project is called Test."""
    found = Settings(home=home, database_url=f"sqlite:///{home / 'tuneloop.db'}")
    ws = open_workspace(found)
    helpers.project(ws)
    ws.close()
    return found


def test_database_that_is_lost_is_never_replaced_by_an_empty_one(settings):
    lost = settings.home / "tuneloop.db"
    lost.rename(settings.home / "elsewhere")
    with pytest.raises(UserError, match=r"missing .* Put it back from a backup"):
        open_workspace(settings)
    assert not lost.exists()
    (settings.home / "elsewhere").rename(lost)
    open_workspace(settings).close()


@pytest.mark.parametrize("other", ["empty", "of another home"])
def test_database_of_another_home_is_refused(settings, tmp_path, other):
    place = settings.home / "tuneloop.db"
    place.unlink()
    if other == "empty":
        place.touch()
    else:
        (tmp_path / "b").mkdir()
        second = Settings(home=tmp_path / "b", database_url=f"sqlite:///{tmp_path}/b/tuneloop.db")
        open_workspace(second).close()
        (tmp_path / "b" / "tuneloop.db").rename(place)
    with pytest.raises(UserError, match="not the one that belongs to its files"):
        open_workspace(settings)
    (settings.home / MARK).unlink()
    open_workspace(settings).close()  # as the sentence says


def test_database_without_a_mark_gets_one(settings):
    (settings.home / MARK).unlink()
    with closing(sqlite3.connect(settings.home / "tuneloop.db")) as conn:
        conn.execute("PRAGMA application_id = 0")
    open_workspace(settings).close()
    assert int((settings.home / MARK).read_text()) > 0
    open_workspace(settings).close()


def test_database_that_is_foreign_or_newer_is_refused_in_one_sentence(settings):
    place = settings.home / "tuneloop.db"
    with closing(sqlite3.connect(place)) as conn:
        conn.execute("UPDATE alembic_version SET version_num = '9999'")
        conn.commit()
    with pytest.raises(UserError, match="newer Tuneloop"):
        open_workspace(settings)
    place.write_bytes(b"no database at all, only a text that is long enough" * 100)
    with pytest.raises(UserError, match="not a database"):
        open_workspace(settings)


def test_migration_killed_at_any_statement_is_atomic(tmp_path):
    url = f"sqlite:///{tmp_path / 'old.db'}"
    db = connect.create_engine(url)
    with db.begin() as conn:
        config = Config()
        config.set_main_option("script_location", str(connect.MIGRATIONS))
        config.attributes["connection"] = conn
        command.upgrade(config, "0001")
        conn.exec_driver_sql(
            "INSERT INTO project (id, name, created_by, created_at) VALUES ('p', 'Old', 'me', 1.0)"
        )
    db.dispose()
    before, kills = shape(tmp_path), 0
    while not upgraded(url, kills + 1):
        kills += 1
        assert shape(tmp_path) == before
    assert kills > 5
    assert shape(tmp_path) != before
    with closing(sqlite3.connect(tmp_path / "old.db")) as conn:
        assert conn.execute("SELECT name FROM project").fetchall() == [("Old",)]


def upgraded(url, most):
    """Whether a process came to the end of the change; it dies before statement `most`."""
    child = os.fork()
    if not child:
        left = [most]

        def count(*_: object) -> None:
            left[0] -= 1
            if not left[0]:
                os._exit(9)

        event.listen(Engine, "before_cursor_execute", count)
        connect.open_database(url)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def shape(folder):
    with closing(sqlite3.connect(folder / "old.db")) as conn:
        assert conn.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return conn.execute("SELECT sql FROM sqlite_master ORDER BY name").fetchall()
