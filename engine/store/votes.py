"""Assignments and votes. A vote is never changed: undo appends a retraction."""

from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, func, insert, or_, select, update

from engine.core.rating import Canonical, Choice
from engine.store.tables import assignment, comparison, vote

LEASE_S = 600.0


class Assignment(NamedTuple):
    id: str
    comparison_id: str
    round_id: str
    rater: str
    left_is: str
    state: str  # leased, voted, skipped
    leased_at: float
    lease_until: float


class LiveVote(NamedTuple):
    """A vote that stands: not retracted, its assignment voted."""

    comparison_id: str
    rater: str
    left_is: str
    choice: Choice
    created_at: float
    vote_id: str
    active_ms: int

    @property
    def canonical(self) -> Canonical:
        """What was preferred, whatever side it stood on."""
        if self.choice in ("tie", "both_bad"):
            return self.choice
        if self.choice == "left":
            return "lo" if self.left_is == "lo" else "hi"
        return "hi" if self.left_is == "lo" else "lo"


def free_comparison(
    conn: Connection, round_id: str, rater: str, overlap: int, now: float
) -> tuple[str, str] | None:
    """The id and first left side of the next pair this rater may see, or None."""
    taken = (
        select(func.count())
        .where(assignment.c.comparison_id == comparison.c.id, _held(now))
        .scalar_subquery()
    )
    mine = (
        select(assignment.c.id)
        .where(assignment.c.comparison_id == comparison.c.id, assignment.c.rater == rater)
        .exists()
    )
    query = (
        select(comparison.c.id, comparison.c.left_first)
        .where(
            comparison.c.round_id == round_id,
            comparison.c.kind == "normal",
            taken < overlap,
            ~mine,
        )
        .order_by(comparison.c.position)
        .limit(1)
    )
    row = conn.execute(query).one_or_none()
    return (row[0], row[1]) if row else None


def lease(conn: Connection, new: Assignment) -> None:
    """Hand a pair to a rater."""
    conn.execute(insert(assignment).values(new._asdict()))


def get(conn: Connection, token: str) -> Assignment | None:
    """The assignment of a token, or None; locked until the transaction ends."""
    query = select(assignment).where(assignment.c.id == token).with_for_update()
    row = conn.execute(query).mappings().one_or_none()
    return Assignment(**row) if row else None


def leased_to(conn: Connection, round_id: str, rater: str) -> Assignment | None:
    """The pair this rater is looking at, oldest lease first, run out or not."""
    query = (
        select(assignment)
        .where(
            assignment.c.round_id == round_id,
            assignment.c.rater == rater,
            assignment.c.state == "leased",
        )
        .order_by(assignment.c.leased_at)
        .limit(1)
    )
    row = conn.execute(query).mappings().one_or_none()
    return Assignment(**row) if row else None


def set_state(conn: Connection, token: str, state: str, now: float) -> None:
    """Move an assignment; a lease starts anew."""
    values: dict[str, Any] = {"state": state, "lease_until": now + LEASE_S}
    conn.execute(update(assignment).where(assignment.c.id == token).values(values))


def append(conn: Connection, key: str, token: str, action: str, **values: Any) -> None:
    """Add a vote or a retraction to an assignment's history."""
    newest = select(func.max(vote.c.seq)).where(vote.c.assignment_id == token)
    seq = (conn.execute(newest).scalar() or 0) + 1
    row = {"id": key, "assignment_id": token, "seq": seq, "action": action, **values}
    conn.execute(insert(vote).values(row))


def assignment_of_vote(conn: Connection, key: str) -> str | None:
    """The assignment that a vote key was used for, or None for a new key."""
    query = select(vote.c.assignment_id).where(vote.c.id == key)
    return conn.execute(query).scalar_one_or_none()


def last_answered(conn: Connection, round_id: str, rater: str) -> Assignment | None:
    """The assignment that this rater voted on or skipped last, or None."""
    query = (
        select(assignment)
        .where(
            assignment.c.round_id == round_id,
            assignment.c.rater == rater,
            assignment.c.state.in_(("voted", "skipped")),
        )
        .order_by(assignment.c.lease_until.desc())  # set anew with every change of state
        .limit(1)
    )
    row = conn.execute(query).mappings().one_or_none()
    return Assignment(**row) if row else None


def places_taken(conn: Connection, comparison_id: str, now: float) -> int:
    """How many raters voted on a pair or look at it."""
    query = select(func.count()).where(assignment.c.comparison_id == comparison_id, _held(now))
    return int(conn.execute(query).scalar_one())


def live(conn: Connection, round_ids: list[str]) -> list[LiveVote]:
    """Every standing vote of the rounds, oldest first."""
    newest = (
        select(vote.c.assignment_id, func.max(vote.c.seq).label("seq"))
        .group_by(vote.c.assignment_id)
        .subquery()
    )
    query = (
        select(
            assignment.c.comparison_id,
            assignment.c.rater,
            assignment.c.left_is,
            vote.c.choice,
            vote.c.created_at,
            vote.c.id.label("vote_id"),
            vote.c.active_ms,
        )
        .join(newest, newest.c.assignment_id == assignment.c.id)
        .join(
            vote,
            and_(vote.c.assignment_id == newest.c.assignment_id, vote.c.seq == newest.c.seq),
        )
        .where(assignment.c.round_id.in_(round_ids), vote.c.action == "vote")
        .order_by(vote.c.created_at, vote.c.id)
    )
    return [LiveVote(**row) for row in conn.execute(query).mappings()]


def counts(conn: Connection, round_id: str, rater: str) -> tuple[int, int, int]:
    """(votes of this rater, pairs that are shown to people, votes of all)."""
    shown = select(func.count()).where(
        comparison.c.round_id == round_id, comparison.c.kind == "normal"
    )
    voted = select(func.count()).where(
        assignment.c.round_id == round_id, assignment.c.state == "voted"
    )
    mine = voted.where(assignment.c.rater == rater)
    done, total, everyone = (conn.execute(query).scalar_one() for query in (mine, shown, voted))
    return done, total, everyone


def raters(conn: Connection, round_id: str) -> list[str]:
    """Raters in the order of their first pair."""
    query = (
        select(assignment.c.rater, func.min(assignment.c.leased_at).label("first"))
        .where(assignment.c.round_id == round_id)
        .group_by(assignment.c.rater)
        .order_by("first")
    )
    return [row[0] for row in conn.execute(query)]


def release(conn: Connection, token: str) -> None:
    """Give back a pair that was shown but not voted on; it has no votes, so nothing is lost."""
    conn.execute(update(assignment).where(assignment.c.id == token).values(lease_until=0.0))


def give_up(conn: Connection, token: str) -> None:
    """Leave a pair that others took to them; there is nothing to take back."""
    values = {"state": "skipped", "lease_until": 0.0}
    conn.execute(update(assignment).where(assignment.c.id == token).values(values))


def _held(now: float) -> ColumnElement[bool]:
    return or_(
        assignment.c.state == "voted",
        and_(assignment.c.state == "leased", assignment.c.lease_until > now),
    )
