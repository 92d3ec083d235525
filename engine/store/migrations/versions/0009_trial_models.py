"""Which models a search for settings made: until now only their path said so."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    column = sa.Column("is_trial", sa.Boolean(), nullable=False, server_default=sa.false())
    op.add_column("model", column)
    model = sa.table("model", sa.column("path", sa.Text()), sa.column("is_trial", sa.Boolean()))
    of_a_search = model.c.path.like("%/trainings/trial-%")
    op.execute(model.update().where(of_a_search).values(is_trial=sa.true()))
