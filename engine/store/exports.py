"""Preference pairs made from votes: what was exported, from which votes, by which rules."""

from typing import Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection, insert, select

from engine.store.rows import dumped, loaded
from engine.store.tables import pair_export

JSON = ("rounds", "rules", "counts")


class PairExport(BaseModel):
    """`watermark` hashes the votes read, `content_sha256` the rows written; same in, same out."""

    model_config = ConfigDict(frozen=True)

    id: str
    project_id: str
    dataset_id: str
    rounds: tuple[str, ...]
    rules: dict[str, Any]
    watermark: str
    content_sha256: str
    pairs: int
    counts: dict[str, int]
    created_by: str
    created_at: float


def add(conn: Connection, new: PairExport) -> None:
    """Store an export."""
    conn.execute(insert(pair_export).values(dumped(new.model_dump(mode="json"), *JSON)))


def list_all(conn: Connection, project_id: str) -> list[PairExport]:
    """Newest first."""
    query = (
        select(pair_export)
        .where(pair_export.c.project_id == project_id)
        .order_by(pair_export.c.created_at.desc())
    )
    return [PairExport.model_validate(loaded(row, *JSON)) for row in conn.execute(query).mappings()]
