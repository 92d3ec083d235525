"""What was refused, who looked early, and who removed an import.

Rows are only ever added; how often may grow.
"""

from typing import Literal, NamedTuple

from sqlalchemy import Connection, func, insert, or_, select, update

from engine.store.tables import audit

Kind = Literal[
    "forged_token", "others_token", "foreign_round", "closed_round", "not_a_vote", "early_look",
    "break_glass", "import_removed",
]  # fmt: skip
ONE_WRITER = 7286146  # see connect.alone


class Entry(NamedTuple):
    """`said` completes the sentence that begins with `who`; it names no model."""

    id: str
    project_id: str | None
    round_id: str | None
    comparison_id: str | None
    kind: Kind
    who: str
    role: str
    said: str
    times: int
    created_at: float


def add(conn: Connection, new: Entry) -> None:
    """Store an entry."""
    conn.execute(insert(audit).values(new._asdict()))


def again(conn: Connection, entry_id: str) -> None:
    """Let an entry stand for one time more."""
    more = update(audit).where(audit.c.id == entry_id)
    conn.execute(more.values(times=audit.c.times + 1))


def same(conn: Connection, new: Entry, since: float) -> Entry | None:
    """The entry of this kind, person and round that began at `since` or later, or None."""
    query = select(audit).where(
        audit.c.kind == new.kind,
        audit.c.created_at >= since,
        audit.c.who == new.who,
        audit.c.role == new.role,
        audit.c.round_id.is_not_distinct_from(new.round_id),
    )
    row = conn.execute(query.limit(1)).mappings().one_or_none()
    return Entry(**row) if row else None


def number(conn: Connection, kind: Kind, since: float) -> int:
    """How many entries of a kind began at `since` or later."""
    query = select(func.count()).where(audit.c.kind == kind, audit.c.created_at >= since)
    return int(conn.execute(query).scalar_one())


def early_looks(conn: Connection, round_id: str) -> list[Entry]:
    """Who looked early at how a blind round stands, oldest first."""
    query = (
        select(audit)
        .where(audit.c.kind == "break_glass", audit.c.round_id == round_id)
        .order_by(audit.c.created_at, audit.c.id)
    )
    return [Entry(**row) for row in conn.execute(query).mappings()]


def newest(conn: Connection, project_id: str, round_id: str | None, most: int) -> list[Entry]:
    """Of a round, or of a project and of no project at all; newest first."""
    here = or_(audit.c.project_id == project_id, audit.c.project_id.is_(None))
    query = (
        select(audit)
        .where(here if round_id is None else audit.c.round_id == round_id)
        .order_by(audit.c.created_at.desc(), audit.c.id.desc())
        .limit(most)
    )
    return [Entry(**row) for row in conn.execute(query).mappings()]
