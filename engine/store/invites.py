"""Invitations to rate: of a link only the hash of its token is kept."""

from typing import Literal, NamedTuple

from sqlalchemy import Connection, insert, select, update

from engine.store.tables import invite


class Invite(NamedTuple):
    id: str
    project_id: str
    rater: str
    token_sha256: str
    status: Literal["active", "revoked"]
    created_by: str
    created_at: float


def add(conn: Connection, new: Invite) -> None:
    """Store an invitation."""
    conn.execute(insert(invite).values(new._asdict()))


def with_token(conn: Connection, sha256: str) -> Invite | None:
    """The invitation whose link holds the token with this hash, or None."""
    query = select(invite).where(invite.c.token_sha256 == sha256)
    row = conn.execute(query).mappings().one_or_none()
    return Invite(**row) if row else None


def get(conn: Connection, invite_id: str) -> Invite | None:
    """The invitation, or None."""
    row = conn.execute(select(invite).where(invite.c.id == invite_id)).mappings().one_or_none()
    return Invite(**row) if row else None


def list_all(conn: Connection, project_id: str) -> list[Invite]:
    """Newest first."""
    query = (
        select(invite)
        .where(invite.c.project_id == project_id)
        .order_by(invite.c.created_at.desc(), invite.c.id)
    )
    return [Invite(**row) for row in conn.execute(query).mappings()]


def revoke(conn: Connection, invite_id: str) -> None:
    """Let the link of an invitation open nothing any more."""
    conn.execute(update(invite).where(invite.c.id == invite_id).values(status="revoked"))
