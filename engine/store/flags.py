"""What raters flagged. A flag that no longer stands keeps its kind behind a word that says why."""

from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection, insert, select, update

from engine.core.rating import Answer
from engine.store.answer_columns import READ
from engine.store.tables import assignment, flag

Ending = Literal["withdrawn", "settled"]


class Flag(NamedTuple):
    """`target` names a side as the rater saw it; `left_is` and `order` say what stood where."""

    id: str
    comparison_id: str
    rater: str
    left_is: Answer
    target: str
    kind: str  # "settled:unsafe" when a person looked at it, "withdrawn:unsafe" after an undo
    note: str
    created_at: float
    order: str = ""  # of a ranking, its answers as they stood


def add(
    conn: Connection, flag_id: str, token: str, target: str, kind: str, note: str, now: float
) -> None:
    """Store what a rater says of the pair that they look at."""
    values = {"id": flag_id, "assignment_id": token, "target": target, "kind": kind, "note": note}
    conn.execute(insert(flag).values({**values, "created_at": now}))


def end(conn: Connection, token: str, why: Ending) -> None:
    """Let the standing flags of an assignment stand no more."""
    conn.execute(
        update(flag)
        .where(flag.c.assignment_id == token, flag.c.kind.not_like("%:%"))
        .values(kind=why + ":" + flag.c.kind)
    )


def assignment_of(conn: Connection, flag_id: str) -> tuple[str, str] | None:
    """The assignment and the round of a standing flag, or None."""
    query = (
        select(assignment.c.id, assignment.c.round_id)
        .join(flag, flag.c.assignment_id == assignment.c.id)
        .where(flag.c.id == flag_id, flag.c.kind.not_like("%:%"))
    )
    row = conn.execute(query).one_or_none()
    return (row[0], row[1]) if row else None


def open_flags(conn: Connection, round_id: str) -> list[Flag]:
    """The flags that nobody has looked at yet, oldest first."""
    query = (
        select(
            flag.c.id,
            assignment.c.comparison_id,
            assignment.c.rater,
            assignment.c.left_is,
            flag.c.target,
            flag.c.kind,
            flag.c.note,
            flag.c.created_at,
            assignment.c.shown_order,
        )
        .join(assignment, assignment.c.id == flag.c.assignment_id)
        .where(assignment.c.round_id == round_id, flag.c.kind.not_like("%:%"))
        .order_by(flag.c.created_at, flag.c.id)
    )
    rows = conn.execute(query).mappings()
    return [_flag(row) for row in rows]


def _flag(row: Any) -> Flag:
    values = {**row, "left_is": READ[row["left_is"]], "order": row["shown_order"] or ""}
    del values["shown_order"]
    return Flag(**values)
