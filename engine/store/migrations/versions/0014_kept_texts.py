"""How many bytes the texts of a kept answer take, so that a project's can be bounded cheaply."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    size = sa.Column("bytes", sa.BigInteger(), nullable=False, server_default="0")
    op.add_column("completion", size)
    postgres = op.get_bind().dialect.name == "postgresql"
    of = "octet_length({})" if postgres else "length(CAST({} AS BLOB))"
    sizes = f"{of.format('prompt')} + {of.format('text')}"
    op.execute(f"UPDATE completion SET bytes = {sizes}")
    op.create_index("completion_sizes", "completion", ["project_id", "created_at", "id", "bytes"])
    op.drop_index("completion_by_project", "completion")
    op.create_index("feedback_by_completion", "feedback", ["completion_id"])
