"""Dataset versions. Rows live in a file; this table says which, and what they hash to."""

from sqlalchemy import Connection, delete, func, insert, select

from engine.core.dataset import Dataset
from engine.store.json_columns import dumped, loaded
from engine.store.tables import dataset

JSON = ("origin", "findings")


def add(conn: Connection, new: Dataset) -> None:
    """Store a version."""
    conn.execute(insert(dataset).values(dumped(new.model_dump(mode="json"), *JSON)))


def get(conn: Connection, dataset_id: str) -> Dataset | None:
    """The version, or None."""
    row = conn.execute(select(dataset).where(dataset.c.id == dataset_id)).mappings().one_or_none()
    return Dataset.model_validate(loaded(row, *JSON)) if row else None


def list_all(conn: Connection, project_id: str) -> list[Dataset]:
    """Newest first."""
    query = (
        select(dataset)
        .where(dataset.c.project_id == project_id)
        .order_by(dataset.c.created_at.desc(), dataset.c.id.desc())
    )
    return [Dataset.model_validate(loaded(row, *JSON)) for row in conn.execute(query).mappings()]


def remove(conn: Connection, dataset_id: str) -> None:
    """Forget a version that nothing points to."""
    conn.execute(delete(dataset).where(dataset.c.id == dataset_id))


def next_version(conn: Connection, project_id: str, name: str) -> int:
    """1 for a new name, one more than the newest version otherwise."""
    query = select(func.max(dataset.c.version)).where(
        dataset.c.project_id == project_id, dataset.c.name == name
    )
    return (conn.execute(query).scalar() or 0) + 1


def with_content(conn: Connection, project_id: str, name: str, sha256: str) -> Dataset | None:
    """The newest version of this name with exactly these bytes, or None."""
    found = [d for d in list_all(conn, project_id) if d.name == name and d.sha256 == sha256]
    return found[0] if found else None
