"""The API: its keys, the files and trainings that programs asked for, answers kept for feedback."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    def text(name: str) -> sa.Column[str]:
        return sa.Column(name, sa.Text(), nullable=False)

    def of(name: str, target: str, *, null: bool = False) -> sa.Column[str]:
        return sa.Column(name, sa.Text(), sa.ForeignKey(target), nullable=null)

    def made() -> sa.Column[float]:
        return sa.Column("created_at", sa.Double(), nullable=False)

    op.create_table(
        "api_key",
        sa.Column("id", sa.Text(), primary_key=True),
        of("project_id", "project.id"),
        *map(text, ("name", "token_sha256", "status", "created_by")),
        sa.Column("captures", sa.Boolean(), nullable=False),
        sa.Column("requests_per_minute", sa.BigInteger(), nullable=False),
        made(),
        sa.Column("used_at", sa.Double(), nullable=True),
        sa.UniqueConstraint("token_sha256"),
    )
    op.create_table(
        "api_file",
        sa.Column("id", sa.Text(), primary_key=True),
        of("project_id", "project.id"),
        *map(text, ("name", "purpose", "sha256", "created_by")),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        made(),
    )
    op.create_index("api_file_by_project", "api_file", ["project_id", "created_at"])
    op.create_table(
        "api_training",
        sa.Column("job_id", sa.Text(), sa.ForeignKey("job.id"), primary_key=True),
        of("project_id", "project.id"),
        text("request"),
        made(),
    )
    op.create_table(
        "completion",
        sa.Column("id", sa.Text(), primary_key=True),
        of("project_id", "project.id"),
        of("key_id", "api_key.id", null=True),
        of("model_id", "model.id"),
        of("other_id", "model.id", null=True),
        *map(text, ("prompt", "text")),
        made(),
    )
    op.create_index("completion_by_project", "completion", ["project_id", "created_at"])
    op.create_table(
        "feedback",
        sa.Column("id", sa.Text(), primary_key=True),
        of("project_id", "project.id"),
        of("completion_id", "completion.id"),
        *map(text, ("kind", "value", "via")),
        made(),
    )
    op.create_index("feedback_by_project", "feedback", ["project_id", "created_at"])
