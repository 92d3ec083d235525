"""Projects. One that is removed is found by nobody; what its votes need of it stays."""

from sqlalchemy import Connection, func, insert, select, update

from engine.core.project import Project
from engine.store.tables import project

FIELDS = [project.c[name] for name in Project.model_fields]
STANDS = project.c.removed_at.is_(None)
SEEN = func.coalesce(project.c.seen_at, project.c.created_at)


def add(conn: Connection, new: Project) -> None:
    """Store a project."""
    conn.execute(insert(project).values(new.model_dump()))


def get(conn: Connection, project_id: str) -> Project | None:
    """The project, or None."""
    query = select(*FIELDS).where(project.c.id == project_id, STANDS)
    row = conn.execute(query).mappings().one_or_none()
    return Project.model_validate(dict(row)) if row else None


def lock(conn: Connection, project_id: str) -> None:
    """Let no other transaction that locks this project go on until this one ends."""
    conn.execute(select(project.c.id).where(project.c.id == project_id).with_for_update()).one()


def list_all(conn: Connection) -> list[Project]:
    """Newest first."""
    query = select(*FIELDS).where(STANDS)
    rows = conn.execute(query.order_by(project.c.created_at.desc(), project.c.id.desc()))
    return [Project.model_validate(dict(row)) for row in rows.mappings()]


def made_by(conn: Connection, name: str) -> list[str]:
    """The ids of the projects that an actor of this name made."""
    query = select(project.c.id).where(project.c.created_by == name, STANDS)
    return list(conn.execute(query).scalars())


def sights(conn: Connection, name: str) -> dict[str, float]:
    """Of each project that an actor of this name made, when they were last here."""
    query = select(project.c.id, SEEN).where(project.c.created_by == name, STANDS)
    return {row[0]: row[1] for row in conn.execute(query)}


def see(conn: Connection, name: str, now: float) -> None:
    """Note that the maker of projects is here."""
    conn.execute(update(project).where(project.c.created_by == name, STANDS).values(seen_at=now))


def unseen(conn: Connection, prefix: str, before: float) -> dict[str, float]:
    """Projects of makers with this prefix who came last before a time, the longest ago first."""
    made = project.c.created_by.startswith(prefix, autoescape=True)
    query = select(project.c.id, SEEN).where(made, STANDS, before > SEEN)
    return {row[0]: row[1] for row in conn.execute(query.order_by(SEEN, project.c.id))}
