"""What people decided about raters: paused, resumed."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "rater_review",
        _text("id"),
        _text("round_id"),
        _text("rater"),
        _text("action"),
        _text("note"),
        _text("created_by"),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["round_id"], ["rating_round.id"]),
        sa.PrimaryKeyConstraint("id"),
    )


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False)
