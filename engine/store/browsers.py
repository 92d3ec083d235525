"""Browsers in which somebody signed in before: the hash of what each holds, and by whom."""

from sqlalchemy import Connection, delete, insert, select, update

from engine.store.tables import known_browser


def knows(conn: Connection, browser: str, person_id: str) -> bool:
    """Whether this person signed in in this browser before."""
    here = (known_browser.c.id == browser) & (known_browser.c.person_id == person_id)
    return conn.execute(select(known_browser.c.id).where(here)).first() is not None


def remember(conn: Connection, browser: str, person_id: str, now: float) -> None:
    """Note that this person signed in in this browser."""
    here = (known_browser.c.id == browser) & (known_browser.c.person_id == person_id)
    conn.execute(delete(known_browser).where(here))
    conn.execute(insert(known_browser).values(id=browser, person_id=person_id, seen_at=now))


def rename(conn: Connection, browser: str, new: str) -> None:
    """Let everybody who used this browser be known by what it holds from now on."""
    conn.execute(update(known_browser).where(known_browser.c.id == browser).values(id=new))


def drop_person(conn: Connection, person_id: str) -> None:
    """Let no browser be known for this person."""
    conn.execute(delete(known_browser).where(known_browser.c.person_id == person_id))


def drop_all(conn: Connection) -> None:
    """Let no browser be known for anybody."""
    conn.execute(delete(known_browser))


def drop_older(conn: Connection, seen_at: float) -> None:
    """Forget the browsers in which nobody signed in since that time."""
    conn.execute(delete(known_browser).where(known_browser.c.seen_at < seen_at))
