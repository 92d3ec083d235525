"""Which model of a project is its champion: rows are only ever added."""

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection, insert, select

from engine.store.tables import promotion


class Promotion(BaseModel):
    model_config = ConfigDict(frozen=True)

    id: str
    project_id: str
    model_id: str
    reason: str
    created_by: str
    created_at: float


def add(conn: Connection, new: Promotion) -> None:
    """Store a promotion."""
    conn.execute(insert(promotion).values(new.model_dump()))


def ever(conn: Connection, model_id: str) -> bool:
    """Whether the model has been the champion of any project."""
    query = select(promotion.c.id).where(promotion.c.model_id == model_id).limit(1)
    return conn.execute(query).first() is not None


def list_all(conn: Connection, project_id: str) -> list[Promotion]:
    """Oldest first."""
    query = (
        select(promotion)
        .where(promotion.c.project_id == project_id)
        .order_by(promotion.c.created_at, promotion.c.id)
    )
    return [Promotion.model_validate(dict(row)) for row in conn.execute(query).mappings()]
