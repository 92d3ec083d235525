"""When each person last looked at a project: two times, whatever they did there."""

from contextlib import suppress
from typing import NamedTuple

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from engine.store.tables import last_visit


class LastVisit(NamedTuple):
    """Epoch seconds: when the visit before this one ended, and when this one was last noted."""

    before_at: float
    seen_at: float


def get(conn: Connection, project_id: str, visitor: str) -> LastVisit | None:
    """The visits of this person, or None before the first one."""
    query = select(last_visit.c.before_at, last_visit.c.seen_at).where(
        last_visit.c.project_id == project_id, last_visit.c.visitor == visitor
    )
    row = conn.execute(query).one_or_none()
    return LastVisit(*row) if row else None


def put(conn: Connection, project_id: str, visitor: str, times: LastVisit) -> None:
    """Store the times in place of those known."""
    known = update(last_visit).where(
        last_visit.c.project_id == project_id, last_visit.c.visitor == visitor
    )
    if conn.execute(known.values(times._asdict())).rowcount:
        return
    values = {"project_id": project_id, "visitor": visitor, **times._asdict()}
    # two browsers of one person may come first at once: either note will do
    with suppress(IntegrityError), conn.begin_nested():
        conn.execute(insert(last_visit).values(values))
