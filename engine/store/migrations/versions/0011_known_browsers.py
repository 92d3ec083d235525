"""Browsers in which somebody signed in before, and invitations that end or are for a few browsers.

Invitations from before have no end and no limit, as it was.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "known_browser",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("person_id", sa.Text(), sa.ForeignKey("person.id"), primary_key=True),
        sa.Column("seen_at", sa.Double(), nullable=False),
    )
    op.add_column("invite", sa.Column("ends_at", sa.Double(), nullable=True))
    op.add_column("invite", sa.Column("most_browsers", sa.BigInteger(), nullable=True))
    op.create_table(
        "invited_browser",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("invite_id", sa.Text(), sa.ForeignKey("invite.id"), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
    )
