"""Who is signed in, and how often a sign-in failed."""

from typing import NamedTuple

from sqlalchemy import Connection, delete, insert, select, update

from engine.store.tables import sign_in_failure, signed_in


class Session(NamedTuple):
    """A browser that is signed in; `id` is the hash of what it holds."""

    id: str
    person_id: str
    created_at: float
    seen_at: float


class Failures(NamedTuple):
    """How often in a row, and when the last time."""

    times: int
    at: float


def add(conn: Connection, new: Session) -> None:
    """Store a session."""
    conn.execute(insert(signed_in).values(new._asdict()))


def get(conn: Connection, session_id: str) -> Session | None:
    """The session, or None."""
    query = select(signed_in).where(signed_in.c.id == session_id)
    row = conn.execute(query).mappings().one_or_none()
    return Session(**row) if row else None


def note_use(conn: Connection, session_id: str, now: float) -> None:
    """Note that this browser was heard of; what lies ahead of now is brought back to it."""
    here = signed_in.c.id == session_id
    conn.execute(update(signed_in).where(here).values(seen_at=now))
    ahead = signed_in.c.created_at > now
    conn.execute(update(signed_in).where(here & ahead).values(created_at=now))


def end(conn: Connection, session_id: str) -> None:
    """Forget one browser."""
    conn.execute(delete(signed_in).where(signed_in.c.id == session_id))


def end_everywhere(conn: Connection) -> None:
    """Sign everybody out, in every browser."""
    conn.execute(delete(signed_in))


def end_all(conn: Connection, person_id: str) -> None:
    """Forget every browser of a person."""
    conn.execute(delete(signed_in).where(signed_in.c.person_id == person_id))


def end_older(conn: Connection, created: float, seen_at: float) -> None:
    """Forget the browsers that signed in before the one time or were last seen before the other."""
    old = (signed_in.c.created_at < created) | (signed_in.c.seen_at < seen_at)
    conn.execute(delete(signed_in).where(old))


def failures(conn: Connection, key: str) -> Failures:
    """Those of a name or a place, none where none is known."""
    query = select(sign_in_failure.c.times, sign_in_failure.c.at).where(sign_in_failure.c.id == key)
    row = conn.execute(query).one_or_none()
    return Failures(*row) if row else Failures(0, 0.0)


def failed(conn: Connection, key: str, times: int, now: float) -> None:
    """Keep that it is `times` in a row now."""
    forgive(conn, key)
    conn.execute(insert(sign_in_failure).values(id=key, times=times, at=now))


def forgive(conn: Connection, key: str) -> None:
    """Forget the failures of a name or a place."""
    conn.execute(delete(sign_in_failure).where(sign_in_failure.c.id == key))


def forgive_older(conn: Connection, at: float) -> None:
    """Forget every failure from before that time."""
    conn.execute(delete(sign_in_failure).where(sign_in_failure.c.at < at))
