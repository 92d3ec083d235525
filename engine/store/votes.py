"""Assignments and votes. A vote is never changed: undo appends a retraction.

What guests were shown is marked, takes no place, and is in no list or count of this module that
is not a guest's own.
"""

import json
from typing import Any, Literal, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    case,
    func,
    insert,
    null,
    or_,
    select,
    update,
)

from engine.core import answer_sides
from engine.core.rating import (
    Answer,
    AnswerChoice,
    AssignmentState,
    ComparisonKind,
    ScreenChoice,
    Side,
    VoteDetails,
)
from engine.store.answer_columns import READ, STORED
from engine.store.json_columns import to_json
from engine.store.tables import assignment, comparison, rating_round, vote

COMPARISON_LEASE_S = 600.0
TICK_S = 0.001  # between two leases of one moment, whose order must last
COUNTED = (AssignmentState.VOTED, AssignmentState.EXTRA)
ANSWERED = (*COUNTED, AssignmentState.SKIPPED, AssignmentState.FLAGGED)


class Assignment(NamedTuple):
    """A comparison for a rater; `order` of a ranking are its answers as they stand: "cabd"."""

    id: str
    comparison_id: str
    round_id: str
    rater: str
    left_is: Answer
    state: AssignmentState
    leased_at: float
    lease_until: float
    guest: bool = False
    order: str = ""


class GivenComparison(NamedTuple):
    """A comparison that a rater was given, and what became of it."""

    comparison_id: str
    kind: ComparisonKind
    state: AssignmentState


class LiveVote(NamedTuple):
    """A vote that stands: not retracted, its assignment voted.

    Of a ranking `order` holds the answers as they stood, and `ranks` the rank of each, 1 the best.
    """

    comparison_id: str
    rater: str
    left_is: Answer
    choice: ScreenChoice
    created_at: float
    vote_id: str
    active_ms: int
    order: str = ""
    ranks: tuple[int, ...] = ()

    @property
    def side(self) -> Side | None:
        """The side that a vote names, for tests of position: one of each vote, so independent.

        Of a ranking that is whether the first or the last answer on the screen ranks higher.
        """
        if self.choice == "left" or self.choice == "right":
            return self.choice
        if not self.ranks or self.ranks[0] == self.ranks[-1]:
            return None
        return "left" if self.ranks[0] < self.ranks[-1] else "right"

    @property
    def preferred(self) -> AnswerChoice:
        """What was chosen, whatever side it stood on."""
        return answer_sides.preferred(self.choice, self.left_is)


def free_comparison(
    conn: Connection, round_id: str, rater: str, overlap: int, now: float
) -> tuple[str, Answer] | None:
    """The id of the next comparison this rater may see and its first left answer, or None.

    A comparison that somebody flagged is left to a person to look at.
    """
    taken = (
        select(func.count())
        .where(assignment.c.comparison_id == comparison.c.id, _held(now))
        .scalar_subquery()
    )
    kept_from = (
        select(assignment.c.id)
        .where(
            assignment.c.comparison_id == comparison.c.id,
            or_(assignment.c.rater == rater, assignment.c.state == AssignmentState.FLAGGED),
        )
        .exists()
    )
    query = (
        select(comparison.c.id, comparison.c.left_first)
        .where(
            comparison.c.round_id == round_id,
            comparison.c.kind == "normal",
            taken < overlap,
            ~kept_from,
        )
        .order_by(comparison.c.position)
        .limit(1)
    )
    row = conn.execute(query).one_or_none()
    return (row[0], READ[row[1]]) if row else None


def given(conn: Connection, round_id: str, rater: str) -> list[GivenComparison]:
    """What a rater was given in a round, oldest first."""
    query = (
        select(comparison.c.id, comparison.c.kind, assignment.c.state)
        .join(comparison, comparison.c.id == assignment.c.comparison_id)
        .where(assignment.c.round_id == round_id, assignment.c.rater == rater)
        .order_by(assignment.c.leased_at, assignment.c.id)
    )
    return [
        GivenComparison(each, kind, AssignmentState(state))
        for each, kind, state in conn.execute(query)
    ]


def lease(conn: Connection, new: Assignment) -> None:
    """Assign a comparison to a rater."""
    conn.execute(insert(assignment).values(_row(new)))


def get(conn: Connection, token: str) -> Assignment | None:
    """The assignment of a token, or None; locked until the transaction ends."""
    if not (token.isascii() and token.isprintable()):
        return None  # no database takes such a text
    query = select(assignment).where(assignment.c.id == token).with_for_update()
    row = conn.execute(query).mappings().one_or_none()
    return _assignment(row) if row else None


def leased_to(conn: Connection, round_id: str, rater: str) -> list[Assignment]:
    """The pairs this rater has open, oldest lease first, run out or not."""
    query = (
        select(assignment)
        .where(
            assignment.c.round_id == round_id,
            assignment.c.rater == rater,
            assignment.c.state == AssignmentState.LEASED,
        )
        .order_by(assignment.c.leased_at, assignment.c.id)
    )
    return [_assignment(row) for row in conn.execute(query).mappings()]


def set_state(conn: Connection, token: str, state: AssignmentState, now: float) -> None:
    """Move an assignment; a lease starts anew."""
    moved = update(assignment).where(assignment.c.id == token)
    conn.execute(moved.values(state=state, lease_until=now + COMPARISON_LEASE_S))


def reopen(conn: Connection, taken_back: Assignment, now: float) -> None:
    """Lease an answered assignment again, before every other that its rater holds."""
    held = leased_to(conn, taken_back.round_id, taken_back.rater)
    first = min([taken_back.leased_at, *(each.leased_at - TICK_S for each in held)])
    set_state(conn, taken_back.id, AssignmentState.LEASED, now)
    moved = update(assignment).where(assignment.c.id == taken_back.id)
    conn.execute(moved.values(leased_at=first))


def append(
    conn: Connection,
    key: str,
    token: str,
    action: Literal["vote", "retract"],
    details: VoteDetails,
    *,
    active_ms: int,
    via: str,
    created_at: float,
    choice: ScreenChoice | None = None,
) -> None:
    """Add a vote, with its choice, or a retraction to an assignment's history."""
    newest = select(func.max(vote.c.seq)).where(vote.c.assignment_id == token)
    seq = (conn.execute(newest).scalar() or 0) + 1
    row = {
        "id": key,
        "assignment_id": token,
        "seq": seq,
        "action": action,
        "choice": choice,
        "active_ms": active_ms,
        "via": via,
        "created_at": created_at,
        "details": to_json(details),
    }
    conn.execute(insert(vote).values(row))


class ImportedVote(NamedTuple):
    """A vote of a file, with the assignment it is cast on."""

    seat: Assignment
    key: str
    choice: ScreenChoice
    details: VoteDetails


def add_imported(conn: Connection, imported: list[ImportedVote]) -> None:
    """Store assignments that a file's raters have voted on already, and their votes."""
    if not imported:
        return
    conn.execute(
        insert(assignment),
        [_row(each.seat) for each in imported],
    )
    conn.execute(insert(vote), [
        {
            "id": each.key, "assignment_id": each.seat.id, "seq": 1, "action": "vote",
            "choice": each.choice, "active_ms": 0, "via": "import",
            "created_at": each.seat.leased_at, "details": to_json(each.details),
        }
        for each in imported
    ])  # fmt: skip


def assignment_of_vote(conn: Connection, key: str) -> str | None:
    """The assignment that a vote key was used for, or None for a new key."""
    query = select(vote.c.assignment_id).where(vote.c.id == key)
    return conn.execute(query).scalar_one_or_none()


def choice_of_vote(conn: Connection, key: str) -> ScreenChoice:
    """What a vote that exists said."""
    found: ScreenChoice = conn.execute(select(vote.c.choice).where(vote.c.id == key)).scalar_one()
    return found


def last_answered(conn: Connection, round_id: str, rater: str) -> Assignment | None:
    """The assignment that this rater voted on, skipped or flagged last, or None."""
    query = (
        select(assignment)
        .where(
            assignment.c.round_id == round_id,
            assignment.c.rater == rater,
            assignment.c.state.in_(ANSWERED),
        )
        .order_by(assignment.c.lease_until.desc())  # set anew with every change of state
        .limit(1)
    )
    row = conn.execute(query).mappings().one_or_none()
    return _assignment(row) if row else None


def places_taken(conn: Connection, comparison_id: str, now: float) -> int:
    """How many raters voted on a pair or look at it."""
    query = select(func.count()).where(assignment.c.comparison_id == comparison_id, _held(now))
    return int(conn.execute(query).scalar_one())


def live(conn: Connection, round_ids: list[str], *, extra: bool = False) -> list[LiveVote]:
    """Every standing vote of the rounds on every kind of pair, oldest first.

    Late votes, cast when the places of a pair were taken, only where `extra` asks for them.
    """
    states = COUNTED if extra else COUNTED[:1]
    return _votes(conn, func.max(vote.c.seq), assignment.c.round_id.in_(round_ids),
                  assignment.c.state.in_(states))  # fmt: skip


def first(conn: Connection, round_id: str, kind: ComparisonKind) -> list[LiveVote]:
    """Everybody's first vote on each pair of a kind, also where it was taken back later."""
    return _votes(conn, func.min(vote.c.seq), assignment.c.round_id == round_id,
                  comparison.c.kind == kind)  # fmt: skip


def _votes(
    conn: Connection, which: ColumnElement[Any], *wanted: ColumnElement[bool]
) -> list[LiveVote]:
    chosen = (
        select(vote.c.assignment_id, which.label("seq")).group_by(vote.c.assignment_id).subquery()
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
            assignment.c.shown_order,
            case((vote.c.choice == "ranked", vote.c.details), else_=null()).label("details"),
        )
        .join(comparison, comparison.c.id == assignment.c.comparison_id)
        .join(chosen, chosen.c.assignment_id == assignment.c.id)
        .join(
            vote,
            and_(vote.c.assignment_id == chosen.c.assignment_id, vote.c.seq == chosen.c.seq),
        )
        .where(*wanted, ~assignment.c.guest, vote.c.action == "vote")
        .order_by(vote.c.created_at, vote.c.id)
    )
    rows = conn.execute(query).mappings()
    return [_live_vote(row) for row in rows]


def _live_vote(row: Any) -> LiveVote:
    values = {**row, "left_is": READ[row["left_is"]], "order": row["shown_order"] or ""}
    details = values.pop("details")
    del values["shown_order"]
    return LiveVote(**values, ranks=tuple(json.loads(details)["ranks"]) if details else ())


def counts(conn: Connection, round_id: str, rater: str) -> tuple[int, int, int]:
    """(votes of this rater on all pairs, pairs that count, votes of all on pairs that count)."""
    shown = select(func.count()).where(
        comparison.c.round_id == round_id, comparison.c.kind == "normal"
    )
    of_round = select(func.count()).where(assignment.c.round_id == round_id)
    mine = of_round.where(assignment.c.rater == rater, assignment.c.state.in_(COUNTED))
    counted = of_round.where(
        (assignment.c.state == AssignmentState.VOTED) & ~assignment.c.guest,
        assignment.c.comparison_id == comparison.c.id,
        comparison.c.kind == "normal",
    )
    done, total, everyone = (conn.execute(q).scalar_one() for q in (mine, shown, counted))
    return done, total, everyone


class Total(NamedTuple):
    """Of a round: its pairs that count, and the votes of all raters on those."""

    pairs: int
    votes: int


def totals(conn: Connection, project_id: str) -> dict[str, Total]:
    """By round of the project, in two statements however many rounds there are."""
    of_round = (
        select(rating_round.c.id, func.count(comparison.c.id))
        .outerjoin(
            comparison,
            and_(comparison.c.round_id == rating_round.c.id, comparison.c.kind == "normal"),
        )
        .where(rating_round.c.project_id == project_id)
        .group_by(rating_round.c.id)
    )
    first_votes = (
        select(assignment.c.round_id, func.count())
        .join(comparison, comparison.c.id == assignment.c.comparison_id)
        .join(rating_round, rating_round.c.id == assignment.c.round_id)
        .where(
            rating_round.c.project_id == project_id,
            assignment.c.state == AssignmentState.VOTED,
            ~assignment.c.guest,
            comparison.c.kind == "normal",
        )
        .group_by(assignment.c.round_id)
    )
    voted = {row[0]: int(row[1]) for row in conn.execute(first_votes)}
    return {row[0]: Total(int(row[1]), voted.get(row[0], 0)) for row in conn.execute(of_round)}


def offered(conn: Connection, round_id: str) -> int:
    """How many pairs of a round people are shown, those that do not count among them."""
    query = select(func.count()).where(
        comparison.c.round_id == round_id, comparison.c.kind.not_in(("identical", "further"))
    )
    return int(conn.execute(query).scalar_one())


def voted_since(conn: Connection, round_id: str, rater: str, since: float) -> int:
    """On how many pairs a rater voted since then."""
    query = select(func.count(func.distinct(vote.c.assignment_id))).where(
        vote.c.assignment_id == assignment.c.id,
        assignment.c.round_id == round_id,
        assignment.c.rater == rater,
        assignment.c.state.in_(COUNTED),
        vote.c.action == "vote",
        vote.c.created_at > since,
    )
    return int(conn.execute(query).scalar_one())


def mirrored(conn: Connection, round_id: str) -> dict[str, bool]:
    """Of each rater of a round, whether they see its pairs with their sides swapped."""
    query = (
        select(assignment.c.rater, assignment.c.left_is != comparison.c.left_first)
        .join(comparison, comparison.c.id == assignment.c.comparison_id)
        .where(assignment.c.round_id == round_id, ~assignment.c.guest)
        .distinct()
    )
    return {row[0]: bool(row[1]) for row in conn.execute(query)}


def release(conn: Connection, token: str) -> None:
    """Give back a pair that was shown but not voted on; it has no votes, so nothing is lost."""
    conn.execute(update(assignment).where(assignment.c.id == token).values(lease_until=0.0))


def give_up(conn: Connection, token: str) -> None:
    """Leave a pair that others took to them; there is nothing to take back."""
    values = {"state": AssignmentState.SKIPPED, "lease_until": 0.0}
    conn.execute(update(assignment).where(assignment.c.id == token).values(values))


def _row(seat: Assignment) -> dict[str, object]:
    values = seat._asdict()
    values["shown_order"] = values.pop("order") or None
    return {**values, "left_is": STORED[seat.left_is]}


def _assignment(row: Any) -> Assignment:
    known = {"left_is": READ[row["left_is"]], "state": AssignmentState(row["state"])}
    values = {**row, **known, "order": row["shown_order"] or ""}
    del values["shown_order"]
    return Assignment(**values)


def _held(now: float) -> ColumnElement[bool]:
    return ~assignment.c.guest & or_(
        assignment.c.state == AssignmentState.VOTED,
        and_(assignment.c.state == AssignmentState.LEASED, assignment.c.lease_until > now),
    )
