"""Evaluations. The answers live in a file; this table says which, and what was compared."""

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection, insert, select

from engine.store.json_columns import dumped, loaded
from engine.store.tables import evaluation


class EvaluationRef(BaseModel):
    model_config = ConfigDict(frozen=True)

    id: str
    project_id: str
    job_id: str
    dataset_id: str
    models: tuple[str, ...]
    file: str
    created_at: float


def add(conn: Connection, new: EvaluationRef) -> None:
    """Store where an evaluation lies."""
    conn.execute(insert(evaluation).values(dumped(new.model_dump(mode="json"), "models")))


def get(conn: Connection, evaluation_id: str) -> EvaluationRef | None:
    """The reference, or None."""
    query = select(evaluation).where(evaluation.c.id == evaluation_id)
    row = conn.execute(query).mappings().one_or_none()
    return EvaluationRef.model_validate(loaded(row, "models")) if row else None


def list_all(conn: Connection, project_id: str) -> list[EvaluationRef]:
    """Newest first."""
    query = (
        select(evaluation)
        .where(evaluation.c.project_id == project_id)
        .order_by(evaluation.c.created_at.desc())
    )
    return [
        EvaluationRef.model_validate(loaded(row, "models"))
        for row in conn.execute(query).mappings()
    ]
