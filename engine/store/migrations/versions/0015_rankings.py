"""In which order a rater saw the three or four answers of a ranking; null where there were two."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("assignment", sa.Column("shown_order", sa.Text(), nullable=True))
