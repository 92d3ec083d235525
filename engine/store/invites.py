"""Invitations to rate: of a link only the hash of its token is kept."""

from typing import Literal, NamedTuple

from sqlalchemy import Connection, func, insert, select, update

from engine.store.tables import invite, invited_browser


class Invite(NamedTuple):
    id: str
    project_id: str
    rater: str
    token_sha256: str
    status: Literal["active", "revoked"]
    created_by: str
    created_at: float
    ends_at: float | None = None  # None: never
    most_browsers: int | None = None  # None: any number


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


def knows(conn: Connection, browser: str, invite_id: str) -> bool:
    """Whether the browser that holds something with this hash has opened the invitation before."""
    here = (invited_browser.c.id == browser) & (invited_browser.c.invite_id == invite_id)
    return conn.execute(select(invited_browser.c.id).where(here)).first() is not None


def opened(conn: Connection, browser: str, invite_id: str, now: float) -> None:
    """Note that a browser opened an invitation."""
    conn.execute(insert(invited_browser).values(id=browser, invite_id=invite_id, created_at=now))


def browsers(conn: Connection, project_id: str) -> dict[str, int]:
    """How many browsers opened each invitation of a project whose browsers are counted."""
    query = (
        select(invited_browser.c.invite_id, func.count())
        .join(invite, invite.c.id == invited_browser.c.invite_id)
        .where(invite.c.project_id == project_id)
        .group_by(invited_browser.c.invite_id)
    )
    return {row[0]: row[1] for row in conn.execute(query)}


def count_browsers(conn: Connection, invite_id: str) -> int:
    """How many browsers opened an invitation."""
    query = select(func.count()).where(invited_browser.c.invite_id == invite_id)
    return conn.execute(query).scalar_one()
