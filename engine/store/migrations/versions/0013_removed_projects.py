"""When a visitor was last here, and which of their projects are removed.

Visitors of before count as seen now: nothing tells when they were here.
"""

import time

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("project", sa.Column("seen_at", sa.Double(), nullable=True))
    op.add_column("project", sa.Column("removed_at", sa.Double(), nullable=True))
    made_by = sa.column("created_by", sa.Text())
    project = sa.table("project", made_by, sa.column("seen_at", sa.Double()))
    op.execute(
        project.update().where(project.c.created_by.like("visitor-%")).values(seen_at=time.time())
    )
