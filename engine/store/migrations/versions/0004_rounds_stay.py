"""A pair stays in its round with its question, and a round what it was made for.

So no statement can take a question out of a blind round into one that makes training pairs. A
revision that copies one of these tables (batch mode on SQLite) has to make its trigger anew.
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

STAY = {
    "comparison": "round_id, prompt",
    "assignment": "round_id, comparison_id",
    "rating_round": "purpose, project_id",
}
SAID = "what a round asks never changes"


def upgrade() -> None:
    postgres = op.get_bind().dialect.name == "postgresql"
    if postgres:
        op.execute(
            "CREATE FUNCTION round_stays() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{SAID}'; END $$"
        )
    for table, columns in STAY.items():
        when = f"CREATE TRIGGER {table}_stays BEFORE UPDATE OF {columns} ON {table} "
        op.execute(
            f"{when} FOR EACH ROW EXECUTE FUNCTION round_stays()"
            if postgres
            else f"{when} BEGIN SELECT RAISE(ABORT, '{SAID}'); END"
        )
