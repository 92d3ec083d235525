"""Projects."""

from sqlalchemy import Connection, insert, select

from engine.core.project import Project
from engine.store.tables import project


def add(conn: Connection, new: Project) -> None:
    """Store a project."""
    conn.execute(insert(project).values(new.model_dump()))


def get(conn: Connection, project_id: str) -> Project | None:
    """The project, or None."""
    row = conn.execute(select(project).where(project.c.id == project_id)).mappings().one_or_none()
    return Project.model_validate(dict(row)) if row else None


def lock(conn: Connection, project_id: str) -> None:
    """Let no other transaction that locks this project go on until this one ends."""
    conn.execute(select(project.c.id).where(project.c.id == project_id).with_for_update()).one()


def list_all(conn: Connection) -> list[Project]:
    """Newest first."""
    query = select(project).order_by(project.c.created_at.desc(), project.c.id.desc())
    return [Project.model_validate(dict(row)) for row in conn.execute(query).mappings()]


def made_by(conn: Connection, name: str) -> list[str]:
    """The ids of the projects that an actor of this name made."""
    return list(conn.execute(select(project.c.id).where(project.c.created_by == name)).scalars())
