"""What people decided about raters: append-only, the newest decision counts."""

from typing import Literal, NamedTuple

from sqlalchemy import Connection, insert, select

from engine.store.tables import rater_review

Action = Literal["paused", "resumed"]


class Review(NamedTuple):
    id: str
    round_id: str
    rater: str
    action: Action
    note: str
    created_by: str
    created_at: float


def add(conn: Connection, new: Review) -> None:
    """Store a decision."""
    conn.execute(insert(rater_review).values(new._asdict()))


def newest(conn: Connection, round_id: str) -> dict[str, Review]:
    """The last decision about each rater of a round."""
    query = (
        select(rater_review)
        .where(rater_review.c.round_id == round_id)
        .order_by(rater_review.c.created_at, rater_review.c.id)
    )
    return {row["rater"]: Review(**row) for row in conn.execute(query).mappings()}
