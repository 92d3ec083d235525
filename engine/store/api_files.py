"""Files that programs handed in, and the trainings that they started."""

from typing import NamedTuple

from sqlalchemy import Connection, delete, insert, select

from engine.store.tables import api_file, api_training


class FileRow(NamedTuple):
    id: str
    project_id: str
    name: str
    purpose: str
    sha256: str
    created_by: str
    bytes: int
    created_at: float


class TrainingRow(NamedTuple):
    """`request` is what the program asked for, as JSON."""

    job_id: str
    project_id: str
    request: str
    created_at: float


def add(conn: Connection, new: FileRow) -> None:
    """Store a file's row."""
    conn.execute(insert(api_file).values(new._asdict()))


def get(conn: Connection, file_id: str) -> FileRow | None:
    """The file, or None."""
    row = conn.execute(select(api_file).where(api_file.c.id == file_id)).mappings().one_or_none()
    return FileRow(**row) if row else None


def list_all(conn: Connection, project_id: str) -> list[FileRow]:
    """Newest first."""
    query = select(api_file).where(api_file.c.project_id == project_id)
    rows = conn.execute(query.order_by(api_file.c.created_at.desc(), api_file.c.id)).mappings()
    return [FileRow(**row) for row in rows]


def remove(conn: Connection, file_id: str) -> None:
    """Delete a file's row."""
    conn.execute(delete(api_file).where(api_file.c.id == file_id))


def add_training(conn: Connection, new: TrainingRow) -> None:
    """Store what a program asked for."""
    conn.execute(insert(api_training).values(new._asdict()))


def training(conn: Connection, job_id: str) -> TrainingRow | None:
    """What a program asked for, or None where a person started the job."""
    query = select(api_training).where(api_training.c.job_id == job_id)
    row = conn.execute(query).mappings().one_or_none()
    return TrainingRow(**row) if row else None


def trainings(conn: Connection, project_id: str) -> list[TrainingRow]:
    """Newest first."""
    query = select(api_training).where(api_training.c.project_id == project_id)
    newest = query.order_by(api_training.c.created_at.desc(), api_training.c.job_id.desc())
    return [TrainingRow(**row) for row in conn.execute(newest).mappings()]
