"""What was refused and who looked early stays: an entry is neither deleted nor changed.

Two things may move. The number of times an entry stands for grows, one at a time. And the name of
a rater who is being forgotten (0005: a row in `forgotten` names them for one transaction) becomes
one that says so; owners and trainers keep theirs, since they answer for what they did.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

SAID = "the audit log is append-only"
FIXED = "id, project_id, round_id, comparison_id, kind, role, said, created_at"
COUNTED = "NEW.times <> OLD.times + 1"
FORGOTTEN = (
    "NOT (OLD.role IN ('guest', 'rater') AND NEW.who LIKE 'deleted %' AND EXISTS"
    " (SELECT 1 FROM forgotten WHERE forgotten.rater = OLD.who AND"
    " (OLD.project_id IS NULL OR forgotten.project_id = OLD.project_id)))"
)
GUARDS = (
    ("deleted", "DELETE", "1 = 1"),
    ("changed", f"UPDATE OF {FIXED}", "1 = 1"),
    ("counted", "UPDATE OF times", COUNTED),
    ("forgotten", "UPDATE OF who", FORGOTTEN),
)


def upgrade() -> None:
    op.create_table(
        "audit",
        _text("id"),
        *(_text(f"{name}_id", null=True) for name in ("project", "round", "comparison")),
        *(_text(name) for name in ("kind", "who", "role", "said")),
        sa.Column("times", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"]),
        sa.ForeignKeyConstraint(["round_id"], ["rating_round.id"]),
        sa.ForeignKeyConstraint(["comparison_id"], ["comparison.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("audit_by_kind", "audit", ["kind", "created_at"])
    postgres = op.get_bind().dialect.name == "postgresql"
    for name, event, broken in GUARDS:
        for statement in (_postgres if postgres else _sqlite)(name, event, broken):
            op.execute(statement)


def _text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=null)


def _sqlite(name: str, event: str, broken: str) -> list[str]:
    return [
        f"CREATE TRIGGER audit_{name} BEFORE {event} ON audit WHEN {broken} "
        f"BEGIN SELECT RAISE(ABORT, '{SAID}'); END"
    ]


def _postgres(name: str, event: str, broken: str) -> list[str]:
    # a trigger's own WHEN can't look into another table there, so the function does
    kept = "OLD" if event == "DELETE" else "NEW"
    return [
        f"CREATE FUNCTION audit_{name}() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN IF {broken} THEN RAISE EXCEPTION '{SAID}'; END IF; RETURN {kept}; END $$",
        f"CREATE TRIGGER audit_{name} BEFORE {event} ON audit "
        f"FOR EACH ROW EXECUTE FUNCTION audit_{name}()",
    ]
