"""People who sign in: what they may do, in which projects, and what their browsers hold."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "person",
        *(_text(name) for name in ("id", "name", "name_key", "role", "status", "created_by")),
        *(_text(name, null=True) for name in ("password", "link_sha256")),
        sa.Column("link_until", sa.Double(), nullable=True),
        _time("created_at"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name_key"),
        sa.UniqueConstraint("link_sha256"),
    )
    op.create_table(
        "member",
        _text("person_id"),
        _text("project_id"),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"]),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"]),
        sa.PrimaryKeyConstraint("person_id", "project_id"),
    )
    op.create_table(
        "signed_in",
        _text("id"),
        _text("person_id"),
        _time("created_at"),
        _time("seen_at"),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "sign_in_failure",
        _text("id"),
        sa.Column("times", sa.BigInteger(), nullable=False),
        _time("at"),
        sa.PrimaryKeyConstraint("id"),
    )


def _text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=null)


def _time(name: str) -> sa.Column[float]:
    return sa.Column(name, sa.Double(), nullable=False)
