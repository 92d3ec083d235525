"""Numbers that tell whether anything about a project's rounds has changed, in few queries."""

from typing import NamedTuple

from sqlalchemy import Connection, func, select

from engine.store import tables as t


class Places(NamedTuple):
    """Assignments of a round that are alike; `newest` moves with every change of a state."""

    round_id: str
    counts: bool  # on comparisons that count, by people who are no guests
    state: str
    number: int
    newest: float


def places(conn: Connection, project_id: str) -> list[Places]:
    """The assignments of a project's rounds, counted, in a fixed order."""
    counts = (t.comparison.c.kind == "normal") & ~t.assignment.c.guest
    kept = (t.assignment.c.round_id, counts, t.assignment.c.state)
    query = (
        select(*kept, func.count(), func.max(t.assignment.c.lease_until))
        .join(t.comparison, t.comparison.c.id == t.assignment.c.comparison_id)
        .join(t.rating_round, t.rating_round.c.id == t.assignment.c.round_id)
        .where(t.rating_round.c.project_id == project_id)
        .group_by(*kept)
        .order_by(*kept)
    )
    return [Places(row[0], bool(row[1]), *row[2:]) for row in conn.execute(query)]


def counting(conn: Connection, project_id: str) -> dict[str, int]:
    """Of each round with comparisons that count, how many."""
    query = (
        select(t.comparison.c.round_id, func.count())
        .join(t.rating_round, t.rating_round.c.id == t.comparison.c.round_id)
        .where(t.rating_round.c.project_id == project_id, t.comparison.c.kind == "normal")
        .group_by(t.comparison.c.round_id)
    )
    return {row[0]: int(row[1]) for row in conn.execute(query)}


def states(conn: Connection, project_id: str) -> list[tuple[str, str]]:
    """(id, status) of a project's rounds."""
    query = (
        select(t.rating_round.c.id, t.rating_round.c.status)
        .where(t.rating_round.c.project_id == project_id)
        .order_by(t.rating_round.c.id)
    )
    return [(row[0], row[1]) for row in conn.execute(query)]


def decisions(conn: Connection, project_id: str) -> tuple[int, ...]:
    """How many decisions about raters, flags, open flags, erasures, early looks, exports, models.

    Rows of these tables are only ever added, or change what is counted here.
    """
    here = select(t.rating_round.c.id).where(t.rating_round.c.project_id == project_id)
    seats = select(t.assignment.c.id).where(t.assignment.c.round_id.in_(here))
    flagged = select(func.count()).where(t.flag.c.assignment_id.in_(seats))
    mine = [
        select(func.count()).where(t.rater_review.c.round_id.in_(here)),
        flagged,
        flagged.where(t.flag.c.kind.not_like("%:%")),
        *(
            select(func.count()).where(table.c.project_id == project_id)
            for table in (t.forgotten, t.audit, t.pair_export, t.model)
        ),
    ]
    row = conn.execute(select(*(each.scalar_subquery() for each in mine))).one()
    return tuple(int(number) for number in row)
