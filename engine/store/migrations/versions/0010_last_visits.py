"""When somebody last looked at a project, so that its first page can tell what is new since."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "last_visit",
        sa.Column("project_id", sa.Text(), sa.ForeignKey("project.id"), primary_key=True),
        sa.Column("visitor", sa.Text(), primary_key=True),
        sa.Column("before_at", sa.Double(), nullable=False),
        sa.Column("seen_at", sa.Double(), nullable=False),
    )
