"""People with an account, and the projects that they belong to."""

from typing import Any, Literal, NamedTuple, TypedDict, Unpack

from sqlalchemy import Connection, delete, insert, select, update

from engine.store.tables import member, person

Status = Literal["active", "closed"]


class Person(NamedTuple):
    """`name_key` is the name as it is compared; `link_sha256` stands for a link not yet used."""

    id: str
    name: str
    name_key: str
    role: str
    status: Status
    created_by: str
    password: str | None
    link_sha256: str | None
    link_until: float | None
    created_at: float


class PersonChange(TypedDict, total=False):
    """Columns of a person that may change; one that is left out stays as it is."""

    name: str
    name_key: str
    role: str
    status: Status
    password: str
    link_sha256: str | None
    link_until: float | None


ONE_WRITER = 7286147  # see connect.alone


def add(conn: Connection, new: Person) -> None:
    """Store a person."""
    conn.execute(insert(person).values(new._asdict()))


def change(conn: Connection, person_id: str, **values: Unpack[PersonChange]) -> None:
    """Set columns of a person."""
    conn.execute(update(person).where(person.c.id == person_id).values(values))


def drop_links(conn: Connection) -> None:
    """Make every link that sets a password useless."""
    conn.execute(update(person).values(link_sha256=None, link_until=None))


def get(conn: Connection, person_id: str) -> Person | None:
    """The person, or None."""
    return _one(conn, person.c.id == person_id)


def find_by_name(conn: Connection, name_key: str) -> Person | None:
    """The person of that name, or None."""
    return _one(conn, person.c.name_key == name_key)


def with_link(conn: Connection, sha256: str) -> Person | None:
    """The person whose link holds the token with this hash, or None."""
    return _one(conn, person.c.link_sha256 == sha256)


def list_all(conn: Connection) -> list[Person]:
    """In the order of their names."""
    query = select(person).order_by(person.c.name_key)
    return [Person(**row) for row in conn.execute(query).mappings()]


def projects_of(conn: Connection, person_id: str) -> frozenset[str]:
    """The ids of the projects that a person belongs to."""
    query = select(member.c.project_id).where(member.c.person_id == person_id)
    return frozenset(conn.execute(query).scalars())


def join(conn: Connection, person_id: str, project_id: str) -> None:
    """Let a person belong to a project that they are not in yet."""
    conn.execute(insert(member).values(person_id=person_id, project_id=project_id))


def leave(conn: Connection, person_id: str) -> None:
    """Let a person belong to no project."""
    conn.execute(delete(member).where(member.c.person_id == person_id))


def _one(conn: Connection, which: Any) -> Person | None:
    row = conn.execute(select(person).where(which)).mappings().one_or_none()
    return Person(**row) if row else None
