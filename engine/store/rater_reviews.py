"""What people decided about raters: paused or resumed, the newest counts; forgotten for good."""

from typing import Any, Literal, NamedTuple, TypedDict

from sqlalchemy import ColumnElement, Connection, delete, func, insert, or_, select, update

from engine.core.json_object import JsonObject
from engine.core.rating import AssignmentState
from engine.store.json_columns import dumped, loaded
from engine.store.tables import (
    assignment,
    audit,
    flag,
    forgotten,
    invite,
    invited_browser,
    rater_review,
    rating_round,
    vote,
)
from engine.store.votes import COUNTED

Action = Literal["paused", "resumed"]


class Review(NamedTuple):
    id: str
    round_id: str
    rater: str
    action: Action
    note: str
    created_by: str
    created_at: float


class DeletedVotes(TypedDict):
    """How many votes of one rater in a round were deleted, and the verdict that they were in."""

    votes: int
    verdict: JsonObject | None


class Erasure(NamedTuple):
    """That somebody's votes were deleted, never whose; `rounds` by id."""

    id: str
    project_id: str
    rounds: dict[str, DeletedVotes]
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


def raters(conn: Connection, round_id: str) -> list[str]:
    """Who was shown a pair of a round and is no guest."""
    shown = (assignment.c.round_id == round_id) & ~assignment.c.guest
    return list(conn.execute(select(assignment.c.rater).where(shown).distinct()).scalars())


def known(conn: Connection, project_id: str) -> list[str]:
    """The names under which anybody was shown a pair of a project, or decided about, sorted."""
    shown = select(assignment.c.rater).where(assignment.c.round_id.in_(_rounds(project_id)))
    decided = select(rater_review.c.rater).where(rater_review.c.round_id.in_(_rounds(project_id)))
    return sorted(conn.execute(shown.union(decided)).scalars())


def guests(conn: Connection, round_id: str) -> int:
    """How many votes of guests a round has, which count in nothing."""
    query = select(func.count()).where(
        assignment.c.round_id == round_id,
        assignment.c.guest,
        assignment.c.state.in_(COUNTED),
    )
    return int(conn.execute(query).scalar_one())


def hold(conn: Connection, project_id: str, rater: str) -> None:
    """Let this rater say nothing in a project until the transaction ends."""
    mine = select(assignment.c.id).where(_mine(project_id, rater))
    conn.execute(mine.with_for_update()).all()


def erase(conn: Connection, rater: str, invites: list[str], new: Erasure) -> None:
    """Delete what a rater did in a project, their name and these invitations; `new` stays.

    A pair that they flagged still waits for a person to look at it, flagged by nobody.
    """
    if conn.dialect.name == "sqlite":
        conn.exec_driver_sql("PRAGMA secure_delete = ON")  # the bytes go too, not just the rows
    row = dumped({**new._asdict(), "rater": rater}, "rounds")
    conn.execute(insert(forgotten).values(row))  # opens the way past the trigger `vote_stays`
    mine = _mine(new.project_id, rater)
    tokens = select(assignment.c.id).where(mine)
    conn.execute(delete(vote).where(vote.c.assignment_id.in_(tokens)))
    waiting = assignment.c.state == AssignmentState.FLAGGED
    ended = or_(flag.c.kind.like("%:%"), flag.c.assignment_id.in_(tokens.where(~waiting)))
    conn.execute(delete(flag).where(flag.c.assignment_id.in_(tokens), ended))
    conn.execute(update(flag).where(flag.c.assignment_id.in_(tokens)).values(note=""))
    conn.execute(delete(assignment).where(mine, ~waiting))
    nobody = f"deleted {new.id[-10:]}"
    conn.execute(update(assignment).where(mine).values(rater=nobody))
    here = or_(audit.c.project_id == new.project_id, audit.c.project_id.is_(None))
    by_them = (audit.c.who == rater) & audit.c.role.in_(("guest", "rater"))
    conn.execute(update(audit).where(by_them, here).values(who=nobody))
    decided = rater_review.c.round_id.in_(_rounds(new.project_id))
    conn.execute(delete(rater_review).where(rater_review.c.rater == rater, decided))
    conn.execute(delete(invited_browser).where(invited_browser.c.invite_id.in_(invites)))
    conn.execute(delete(invite).where(invite.c.id.in_(invites)))
    conn.execute(update(forgotten).where(forgotten.c.id == new.id).values(rater=None))


def list_erasures(conn: Connection, project_id: str) -> list[Erasure]:
    """Oldest first."""
    query = (
        select(*(forgotten.c[name] for name in Erasure._fields))
        .where(forgotten.c.project_id == project_id)
        .order_by(forgotten.c.created_at, forgotten.c.id)
    )
    return [Erasure(**loaded(row, "rounds")) for row in conn.execute(query).mappings()]


def _rounds(project_id: str) -> Any:
    return select(rating_round.c.id).where(rating_round.c.project_id == project_id)


def _mine(project_id: str, rater: str) -> ColumnElement[bool]:
    return (assignment.c.rater == rater) & assignment.c.round_id.in_(_rounds(project_id))
