"""Notes and tags of jobs, details of votes, flags, invites and promotions."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "job",
        sa.Column("keep_requested", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    for table, column, default in (
        ("job", "note", ""),
        ("job", "tags", "[]"),
        ("comparison", "details", "{}"),
        ("vote", "details", "{}"),
    ):
        op.add_column(table, sa.Column(column, sa.Text(), nullable=False, server_default=default))
    op.create_table(
        "flag",
        _text("id"),
        _text("assignment_id"),
        _text("target"),
        _text("kind"),
        _text("note"),
        _time("created_at"),
        sa.ForeignKeyConstraint(["assignment_id"], ["assignment.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "invite",
        _text("id"),
        _text("project_id"),
        _text("rater"),
        _text("token_sha256"),
        _text("status"),
        _text("created_by"),
        _time("created_at"),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("token_sha256"),
    )
    op.create_table(
        "promotion",
        _text("id"),
        _text("project_id"),
        _text("model_id"),
        _text("reason"),
        _text("created_by"),
        _time("created_at"),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"]),
        sa.ForeignKeyConstraint(["model_id"], ["model.id"]),
        sa.PrimaryKeyConstraint("id"),
    )


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False)


def _time(name: str) -> sa.Column[float]:
    return sa.Column(name, sa.Double(), nullable=False)
