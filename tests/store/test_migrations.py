import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from engine.core.actor import LOCAL
from engine.services.rating import votes
from engine.store.connect import migrate, reading, writing
from engine.store.tables import metadata
from tests import helpers


def test_migrations_and_tables_agree(ws):
    with ws.db.connect() as conn:
        context = MigrationContext.configure(conn, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_migrating_twice_changes_nothing(ws):
    helpers.project(ws)
    migrate(ws.db)
    with reading(ws.db) as conn:
        assert conn.execute(text("SELECT count(*) FROM project")).scalar() == 1


@pytest.mark.parametrize("change", ["UPDATE vote SET choice = 'tie'", "DELETE FROM vote"])
def test_the_database_itself_refuses_to_change_a_vote(ws, tmp_path, change):
    one = helpers.open_round(ws, helpers.project(ws).id, tmp_path)
    shown = votes.next_pair(ws, LOCAL, one.id)
    votes.vote(ws, LOCAL, shown.token, "key-00000001", "left")
    with pytest.raises(DBAPIError, match="append-only"), writing(ws.db) as conn:
        conn.execute(text(change))
