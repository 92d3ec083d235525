"""A pair shown to somebody whom nobody knows is marked: their vote is kept and not counted."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    column = sa.Column("guest", sa.Boolean(), nullable=False, server_default=sa.false())
    op.add_column("assignment", column)
