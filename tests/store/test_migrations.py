import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from engine.core.actor import LOCAL
from engine.store import models
from engine.store.connect import MIGRATIONS, migrate, open_database, reading, writing
from engine.store.tables import metadata
from tests import helpers
from tests.rating import screen

MOVES = [
    "UPDATE comparison SET round_id = 'other'",
    "UPDATE comparison SET prompt = '[]'",
    "UPDATE assignment SET round_id = 'other'",
    "UPDATE assignment SET comparison_id = 'other'",
    "UPDATE rating_round SET purpose = 'train_pairs'",
    "UPDATE rating_round SET project_id = 'other'",
]
AT_0003 = [
    "INSERT INTO project VALUES ('p', 'Old', 'local', 1)",
    "INSERT INTO model (id, name, kind, source, path, info, created_at)"
    " VALUES ('m', 'm', 'base', 'folder', 'm', '{}', 1)",
    "INSERT INTO model (id, name, kind, source, path, info, created_at) VALUES"
    " ('trial', 't', 'adapter', 'trained', 'jobs/s/trainings/trial-2/adapter', '{}', 2)",
    "INSERT INTO rating_round VALUES"
    " ('r', 'p', 'Blind', 'blind_eval', 'm', 'm', '{}', 's', 'closed', NULL, 'local', 1, 2)",
    "INSERT INTO comparison VALUES"
    " ('c', 'r', 0, '[]', '[]', 'x', 'y', 'm', 'm', 'normal', 'lo', '{}')",
    "INSERT INTO assignment VALUES ('a', 'c', 'r', 'ada', 'lo', 'voted', 1, 2)",
    "INSERT INTO vote VALUES ('v', 'a', 1, 'vote', 'left', 9, 'key', 1, '{}')",
    "INSERT INTO rater_review VALUES ('w', 'r', 'ada', 'paused', '', 'local', 1)",
]


@pytest.fixture
def old(database_url):
    """The address of a database with a closed round, as it was at revision 0003."""
    db = create_engine(database_url.replace("postgresql://", "postgresql+psycopg://"))
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with db.begin() as conn:
        config.attributes["connection"] = conn
        command.upgrade(config, "0003")
        for statement in AT_0003:
            conn.execute(text(statement))
    db.dispose()
    return database_url


def test_migrations_and_tables_agree(ws):
    with ws.db.connect() as conn:
        context = MigrationContext.configure(conn, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_migration_run_twice_changes_nothing(ws):
    helpers.project(ws)
    migrate(ws.db)
    with reading(ws.db) as conn:
        assert conn.execute(text("SELECT count(*) FROM project")).scalar() == 1


@pytest.mark.parametrize("change", ["UPDATE vote SET choice = 'tie'", "DELETE FROM vote"])
def test_database_refuses_to_change_a_vote(ws, tmp_path, change):
    one = helpers.open_round(ws, helpers.project(ws).id, tmp_path)
    shown = screen.next_pair(ws, LOCAL, one.id)
    screen.vote(ws, LOCAL, shown.token, "key-00000001", "left")
    with pytest.raises(DBAPIError, match="append-only"), writing(ws.db) as conn:
        conn.execute(text(change))


@pytest.mark.parametrize("change", MOVES)
def test_database_refuses_to_move_a_pair_or_change_a_round(ws, tmp_path, change):
    one = helpers.open_round(ws, helpers.project(ws).id, tmp_path, purpose="blind_eval")
    screen.next_pair(ws, LOCAL, one.id)
    with pytest.raises(DBAPIError, match="never changes"), writing(ws.db) as conn:
        conn.execute(text(change))


def test_migration_keeps_rows_and_adds_the_newer_guards(old):
    db = open_database(old)
    with reading(db) as conn:
        assert conn.execute(text("SELECT choice FROM vote")).scalars().all() == ["left"]
        assert conn.execute(text("SELECT rater FROM assignment")).scalars().all() == ["ada"]
        assert {one.id: one.is_trial for one in models.list_all(conn, None)} == {
            "m": False, "trial": True,
        }  # fmt: skip
    for change in [*MOVES, "DELETE FROM vote", "UPDATE vote SET choice = 'tie'"]:
        with pytest.raises(DBAPIError, match=r"never changes|append-only"), writing(db) as conn:
            conn.execute(text(change))
    db.dispose()
