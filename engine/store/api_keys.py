"""Keys with which programs ask the API: of a key only its hash is kept."""

from typing import Literal, NamedTuple, TypedDict, Unpack

from sqlalchemy import Connection, insert, select, update

from engine.store.tables import api_key


class KeyRow(NamedTuple):
    id: str
    project_id: str
    name: str
    token_sha256: str
    status: Literal["open", "closed"]
    created_by: str
    captures: bool
    requests_per_minute: int
    created_at: float
    used_at: float | None = None


def add(conn: Connection, new: KeyRow) -> None:
    """Store a key."""
    conn.execute(insert(api_key).values(new._asdict()))


def get(conn: Connection, key_id: str) -> KeyRow | None:
    """The key, or None."""
    row = conn.execute(select(api_key).where(api_key.c.id == key_id)).mappings().one_or_none()
    return KeyRow(**row) if row else None


def with_token(conn: Connection, sha256: str) -> KeyRow | None:
    """The key whose token has this hash, or None."""
    query = select(api_key).where(api_key.c.token_sha256 == sha256)
    row = conn.execute(query).mappings().one_or_none()
    return KeyRow(**row) if row else None


def list_all(conn: Connection, project_id: str) -> list[KeyRow]:
    """Newest first."""
    query = select(api_key).where(api_key.c.project_id == project_id)
    rows = conn.execute(query.order_by(api_key.c.created_at.desc(), api_key.c.id)).mappings()
    return [KeyRow(**row) for row in rows]


class KeyChange(TypedDict, total=False):
    """Columns of a key that may change."""

    status: str
    used_at: float


def change(conn: Connection, key_id: str, **values: Unpack[KeyChange]) -> None:
    """Set columns of a key."""
    conn.execute(update(api_key).where(api_key.c.id == key_id).values(values))
