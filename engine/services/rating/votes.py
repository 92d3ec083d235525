"""Blind votes: the next comparison, a vote, a skip, an undo.

The browser holds an opaque token and two texts, nothing else. A vote's key is made by the browser
when the pair is shown: the same key twice is one vote with the same answer. Undo appends a
retraction and shows the same pair on the same sides.
"""

import time
from collections.abc import Mapping
from typing import TypedDict

from pydantic import ValidationError
from sqlalchemy import Connection

from engine.core import ids
from engine.core.actor import Actor, Role
from engine.core.answer_sides import as_shown, side_of
from engine.core.errors import Conflict, NotFound, UserError
from engine.core.names import without_nul
from engine.core.rating import (
    POSITIONS,
    REASONS,
    AssignmentState,
    Comparison,
    Feedback,
    RaterState,
    Round,
    ScreenChoice,
    ShownComparison,
    VoteRequest,
)
from engine.services import access
from engine.services.rating import assignment, audit, paused_raters, rankings
from engine.store import flags, rounds, votes
from engine.store.connect import reading, writing
from engine.store.votes import COMPARISON_LEASE_S, Assignment
from engine.workspace import Workspace

UNDO_S = 15 * 60
DAY_S = 24 * 3600
PREFETCH = assignment.MOST_HELD - 1
OF_PAIRS, OF_SINGLES = ("left", "right", "tie", "both_bad"), ("good", "bad")
BESIDE_PAIRS = ("acceptable_left", "acceptable_right", "strength")
NOT_A_VOTE = UserError("This is not a vote.", "Reload the page and vote again.")
PAUSED = (
    "Your ratings are paused until they have been reviewed with you. No vote is lost. Ask the "
    "person who started this round."
)


def state(ws: Workspace, actor: Actor, round_id: str, prefetch: int = PREFETCH) -> RaterState:
    """The comparison this rater is at, the same after a reload, and the one after it.

    With `prefetch` 0 none is assigned ahead.
    """
    actor.require(Role.GUEST)
    with writing(ws.db) as conn:
        return _state(conn, _open_round(conn, actor, round_id), actor, prefetch)


def request(ws: Workspace, actor: Actor, values: Mapping[str, object]) -> VoteRequest:
    """What a program sent, as a vote; UserError, and an entry in the audit log, for no vote."""
    try:
        return VoteRequest.model_validate(values)
    except ValidationError:
        audit.refused(ws, actor, "not_a_vote", token=str(values.get("token", "")))
        raise NOT_A_VOTE from None


def vote(ws: Workspace, actor: Actor, asked: VoteRequest, prefetch: int = PREFETCH) -> RaterState:
    """Store a vote and return what comes next; Conflict where the comparison has another vote.

    A vote that comes after its lease ran out counts where its place is still free; else it is kept
    as an extra one.
    """
    actor.require(Role.GUEST)
    with audit.record_refused_vote(ws, actor, asked.token), writing(ws.db) as conn:
        mine = _own(conn, actor, asked.token)
        rating_round = _open_round(conn, actor, mine.round_id)
        asked = _check(rating_round, rounds.get_comparison(conn, mine.comparison_id), asked)
        used = votes.assignment_of_vote(conn, asked.key)
        if used is not None and used != asked.token:
            raise Conflict("This vote belongs to another comparison.", "Reload the page.")
        if used is None:
            _add(conn, rating_round, mine, asked)
        feedback = _feedback(conn, mine, votes.choice_of_vote(conn, asked.key))
        comes = _state(conn, rating_round, actor, prefetch).model_copy(
            update={"feedback": feedback}
        )
    ws.confirm_votes()  # the same vote again is confirmed again
    return comes


def skip(ws: Workspace, actor: Actor, token: str, prefetch: int = PREFETCH) -> RaterState:
    """Leave a comparison to others and return what comes next."""
    actor.require(Role.GUEST)
    with audit.record_refused_vote(ws, actor, token), writing(ws.db) as conn:
        mine = _own(conn, actor, token)
        rating_round = _open_round(conn, actor, mine.round_id)
        if mine.state == AssignmentState.LEASED:
            votes.set_state(conn, token, AssignmentState.SKIPPED, time.time())
        return _state(conn, rating_round, actor, prefetch)


def undo(ws: Workspace, actor: Actor, round_id: str, prefetch: int = PREFETCH) -> RaterState:
    """Take back this rater's newest vote, skip or flag, up to 15 minutes old, and show it again."""
    actor.require(Role.GUEST)
    now = time.time()
    with writing(ws.db) as conn:
        rating_round = _open_round(conn, actor, round_id)
        last = _undoable(conn, round_id, actor.name, now)
        if last is None:
            raise Conflict("No vote of the last 15 minutes can be undone.", "Go on rating.")
        if last.state != AssignmentState.VOTED and assignment.taken_by_others(
            conn, rating_round, last, now
        ):
            raise Conflict("Another rater has that comparison by now.", "Go on rating.")
        for waiting in votes.leased_to(conn, round_id, actor.name)[assignment.MOST_HELD - 1 :]:
            votes.release(conn, waiting.id)
        if last.state in votes.COUNTED:
            votes.append(
                conn, ids.new("undo"), last.id, "retract", {}, active_ms=0, via="button",
                created_at=now,
            )  # fmt: skip
        flags.end(conn, last.id, "withdrawn")
        votes.reopen(conn, last, now)
        comes = _state(conn, rating_round, actor, prefetch)
    ws.confirm_votes()
    return comes


def renew_leases(ws: Workspace, actor: Actor, token: str) -> None:
    """Start the leases of a rater who is still reading anew; NotFound for a foreign token."""
    actor.require(Role.GUEST)
    now = time.time()
    with writing(ws.db) as conn:
        mine = _own(conn, actor, token)
        for held in votes.leased_to(conn, mine.round_id, actor.name):
            if held.lease_until > now:
                votes.set_state(conn, held.id, AssignmentState.LEASED, now)


def progress(ws: Workspace, actor: Actor, round_id: str) -> dict[str, int]:
    """`done` of `total` by this rater, `all_done` votes of `all_total` that the plan asks for."""
    actor.require(Role.GUEST)
    with reading(ws.db) as conn:
        rating_round = access.rating_round(conn, actor, round_id)
        done, counted, everyone = votes.counts(conn, round_id, actor.name)
        total = votes.offered(conn, round_id)
    wanted = counted * rating_round.plan.overlap
    return {"done": done, "total": total, "all_done": everyone, "all_total": wanted}


class GoldAgreement(TypedDict):
    """How many of the gold items that somebody rated they got right."""

    right: int
    of: int


class OwnProgress(TypedDict):
    """Votes left today, None without a limit; None too before the first gold item."""

    left_today: int | None
    agreement_with_gold: GoldAgreement | None


def own_progress(ws: Workspace, actor: Actor, round_id: str) -> OwnProgress:
    """What a rater may know of themselves."""
    actor.require(Role.GUEST)
    with reading(ws.db) as conn:
        rating_round = access.rating_round(conn, actor, round_id)
        gold = paused_raters.gold(conn, round_id).get(actor.name)
        left = _left_today(conn, rating_round, actor.name, time.time())
    agreed: GoldAgreement | None = {"right": gold.right, "of": gold.of} if gold else None
    return {"left_today": left, "agreement_with_gold": agreed}


def texts(ws: Workspace, actor: Actor, token: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The plain answers as they stand, and the references: for simulated raters."""
    actor.require(Role.RATER)
    with writing(ws.db) as conn:
        mine = _own(conn, actor, token)
        pair = rounds.get_comparison(conn, mine.comparison_id)
    return _as_they_stand(pair, mine), pair.references


def _as_they_stand(pair: Comparison, mine: Assignment) -> tuple[str, ...]:
    if mine.order:
        return tuple(pair.answers[letter] for letter in mine.order)
    return as_shown(pair.answer_a, pair.answer_b, mine.left_is)


def _check(rating_round: Round, pair: Comparison, asked: VoteRequest) -> VoteRequest:
    """The vote as it is stored; UserError where it does not fit what is shown."""
    single = rating_round.mode == "single"
    known = OF_SINGLES if single else OF_PAIRS
    if asked.choice not in (rankings.RANKED if pair.ranked else known):
        raise NOT_A_VOTE
    if asked.strength is not None and asked.choice not in ("left", "right"):
        raise NOT_A_VOTE
    without_nul(asked.edit.text if asked.edit else "", "The improved answer")
    without_nul(asked.rationale or "", "The reason")
    if not set(asked.reasons) <= set(REASONS):
        raise UserError("There is no such reason.", "Choose among those on the page.")
    shown = 1 if single else len(pair.answers)
    if asked.edit and POSITIONS.index(asked.edit.side) >= shown:
        raise NOT_A_VOTE
    if (asked.choice == "ranked") != (asked.ranks is not None):
        raise NOT_A_VOTE
    alone = single or pair.ranked
    if alone and any(getattr(asked, name) is not None for name in BESIDE_PAIRS):
        raise NOT_A_VOTE
    if asked.ranks is None:
        return asked
    return _ranked(asked, asked.ranks, shown)


def _ranked(asked: VoteRequest, ranks: tuple[int, ...], shown: int) -> VoteRequest:
    """The ranks without gaps; one rank for all answers is a tie."""
    if len(ranks) != shown or not all(1 <= rank <= shown for rank in ranks):
        raise NOT_A_VOTE
    if len(set(ranks)) == 1:
        return asked.model_copy(update={"choice": "tie", "ranks": None})
    return asked.model_copy(update={"ranks": tuple(rankings.dense(ranks))})


def _add(conn: Connection, rating_round: Round, mine: Assignment, asked: VoteRequest) -> None:
    now = time.time()
    if mine.state != AssignmentState.LEASED:
        raise Conflict("You have voted on this comparison already.", "Undo to change it.")
    late = mine.lease_until <= now and assignment.taken_by_others(conn, rating_round, mine, now)
    votes.set_state(conn, mine.id, AssignmentState.EXTRA if late else AssignmentState.VOTED, now)
    votes.append(
        conn,
        asked.key,
        mine.id,
        "vote",
        asked.details,
        choice=asked.choice,
        active_ms=max(0, min(asked.active_ms, 3_600_000)),
        via=asked.via,
        created_at=now,
    )


def _feedback(conn: Connection, mine: Assignment, choice: ScreenChoice) -> Feedback | None:
    pair = rounds.get_comparison(conn, mine.comparison_id)
    if pair.kind != "calibration":
        return None
    answer = pair.details["answer"]
    expected = str(answer)
    if answer == "a" or answer == "b":
        expected = side_of(answer, mine.left_is)
    return Feedback(right=choice == expected, expected=expected, reason=pair.details["reason"])


def _open_round(conn: Connection, actor: Actor, round_id: str) -> Round:
    rating_round = access.rating_round(conn, actor, round_id)
    if rating_round.status != "open":
        words = {"preparing": "still getting its answers", "closed": "closed"}
        raise Conflict(
            f"{rating_round.name} is {words.get(rating_round.status, rating_round.status)}.",
            "Choose an open round.",
        )
    return rating_round


def _own(conn: Connection, actor: Actor, token: str) -> Assignment:
    mine = votes.get(conn, token)
    if mine is None or mine.rater != actor.name:
        raise NotFound("This comparison is not assigned to you.", "Reload the page.")
    return mine


def _state(conn: Connection, rating_round: Round, actor: Actor, prefetch: int) -> RaterState:
    now, rater, guest = time.time(), actor.name, actor.role < Role.RATER
    if rater in paused_raters.paused(conn, rating_round.id):
        return RaterState(pair=None, pause=PAUSED)
    left, most = _left_today(conn, rating_round, rater, now), 1 + prefetch
    if left == 0:
        return RaterState(pair=None, pause=_enough(rating_round))
    most = most if left is None else min(most, left)
    held = assignment.next_assignments(conn, rating_round, rater, now, most, guest)
    pair, ahead = ([_shown(conn, rating_round, mine) for mine in held] + [None, None])[:2]
    if pair and ahead:  # it is shown before the server has answered the vote on the first
        ahead = ahead.model_copy(update={"done": pair.done + 1, "can_undo": True})
    return RaterState(pair=pair, ahead=ahead)


def _left_today(conn: Connection, rating_round: Round, rater: str, now: float) -> int | None:
    most = rating_round.plan.per_rater
    if most is None:
        return None
    return max(0, most - votes.voted_since(conn, rating_round.id, rater, now - DAY_S))


def _enough(rating_round: Round) -> str:
    return (
        f"You have rated {rating_round.plan.per_rater} comparisons within a day, the limit of this "
        "round: judgement suffers when people are tired. Thank you, and come back tomorrow."
    )


def _undoable(conn: Connection, round_id: str, rater: str, now: float) -> Assignment | None:
    last = votes.last_answered(conn, round_id, rater)
    if last is None or now > last.lease_until - COMPARISON_LEASE_S + UNDO_S:
        return None
    return last


def _shown(conn: Connection, rating_round: Round, mine: Assignment) -> ShownComparison:
    pair = rounds.get_comparison(conn, mine.comparison_id)
    done, _, _ = votes.counts(conn, rating_round.id, mine.rater)
    left, right, *more = _as_they_stand(pair, mine)
    prompt = "\n\n".join(
        m.content if m.role == "user" else f"**{m.role}:** {m.content}" for m in pair.prompt
    )
    return ShownComparison(
        token=mine.id,
        mode="rank" if pair.ranked else rating_round.mode,
        prompt=prompt,
        left=left,
        right=right,
        more=tuple(more),
        done=done,
        total=votes.offered(conn, rating_round.id),
        can_undo=_undoable(conn, rating_round.id, mine.rater, time.time()) is not None,
    )
