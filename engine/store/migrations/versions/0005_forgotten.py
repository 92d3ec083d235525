"""A rater's votes may be deleted, all of them and nobody else's; that it was done stays.

A row in `forgotten` that names a rater and a project lets the votes of that rater there be
deleted. It cannot be committed while it names anybody, so it opens the way for one transaction
only, and it is never deleted itself.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

NAMED = (
    "EXISTS (SELECT 1 FROM forgotten"
    " JOIN rating_round ON rating_round.project_id = forgotten.project_id"
    " JOIN assignment ON assignment.round_id = rating_round.id"
    " AND assignment.rater = forgotten.rater"
    " WHERE assignment.id = OLD.assignment_id)"
)
VOTES, RECORD = "votes are append-only", "what was forgotten stays on record"
FIXED = "id, project_id, rounds, created_by, created_at"


def upgrade() -> None:
    op.create_table(
        "forgotten",
        _text("id"),
        _text("project_id"),
        sa.Column("rater", sa.Text(), nullable=True),
        _text("rounds"),
        _text("created_by"),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"]),
        sa.ForeignKeyConstraint(["rater"], ["forgotten.id"], deferrable=True, initially="DEFERRED"),
        sa.PrimaryKeyConstraint("id"),
    )
    statements = POSTGRES if op.get_bind().dialect.name == "postgresql" else SQLITE
    for statement in statements:
        op.execute(statement)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False)


SQLITE = (
    "DROP TRIGGER vote_stays_delete",
    f"CREATE TRIGGER vote_stays_delete BEFORE DELETE ON vote WHEN NOT {NAMED} "
    f"BEGIN SELECT RAISE(ABORT, '{VOTES}'); END",
    "CREATE TRIGGER forgotten_stays_delete BEFORE DELETE ON forgotten "
    f"BEGIN SELECT RAISE(ABORT, '{RECORD}'); END",
    f"CREATE TRIGGER forgotten_stays_update BEFORE UPDATE OF {FIXED} ON forgotten "
    f"BEGIN SELECT RAISE(ABORT, '{RECORD}'); END",
    "CREATE TRIGGER forgotten_names_nobody BEFORE UPDATE OF rater ON forgotten "
    f"WHEN NEW.rater IS NOT NULL BEGIN SELECT RAISE(ABORT, '{RECORD}'); END",
)
POSTGRES = (
    "CREATE OR REPLACE FUNCTION vote_is_append_only() RETURNS trigger LANGUAGE plpgsql AS "
    f"$$ BEGIN IF TG_OP = 'DELETE' THEN IF {NAMED} THEN RETURN OLD; END IF; END IF; "
    f"RAISE EXCEPTION '{VOTES}'; END $$",
    "CREATE FUNCTION forgotten_stays() RETURNS trigger LANGUAGE plpgsql AS "
    f"$$ BEGIN RAISE EXCEPTION '{RECORD}'; END $$",
    f"CREATE TRIGGER forgotten_stays BEFORE DELETE OR UPDATE OF {FIXED} ON forgotten "
    "FOR EACH ROW EXECUTE FUNCTION forgotten_stays()",
    "CREATE TRIGGER forgotten_names_nobody BEFORE UPDATE OF rater ON forgotten "
    "FOR EACH ROW WHEN (NEW.rater IS NOT NULL) EXECUTE FUNCTION forgotten_stays()",
)
