"""Blind votes: the next pair, a vote, a skip, an undo.

The browser holds an opaque token and two texts, nothing else. A vote's key is made by the browser
when the pair is shown: the same key twice is one vote with the same answer. Undo appends a
retraction and shows the same pair on the same sides.
"""

import time

from sqlalchemy import Connection

from engine.core import ids
from engine.core.actor import Actor, Role
from engine.core.errors import Conflict, NotFound, UserError
from engine.core.rating import Choice, Round, Shown
from engine.services import access
from engine.services.rating.safe_text import to_html
from engine.store import rounds, votes
from engine.store.connect import reading, writing
from engine.store.votes import LEASE_S, Assignment
from engine.workspace import Workspace

CHOICES = ("left", "right", "tie", "both_bad")
KEY_LENGTH = range(8, 65)
UNDO_S = 15 * 60


def next_pair(ws: Workspace, actor: Actor, round_id: str) -> Shown | None:
    """The pair this rater is at, the same after a reload; None when nothing is left for them."""
    actor.require(Role.RATER)
    with writing(ws.db) as conn:
        return _next(conn, _open_round(conn, round_id), actor.name)


def vote(
    ws: Workspace,
    actor: Actor,
    token: str,
    key: str,
    choice: Choice,
    active_ms: int = 0,
    via: str = "key",
) -> Shown | None:
    """Store a vote and return the next pair; Conflict when this pair has another vote already."""
    actor.require(Role.RATER)
    if choice not in CHOICES or len(key) not in KEY_LENGTH or via not in ("key", "button", "api"):
        raise UserError("This is not a vote.", "Reload the page and vote again.")
    now = time.time()
    with writing(ws.db) as conn:
        mine = _own(conn, actor, token)
        one = _open_round(conn, mine.round_id)
        used = votes.assignment_of_vote(conn, key)
        if used is not None and used != token:
            raise Conflict("This vote was cast for another pair.", "Reload the page.")
        if used is None:
            if mine.state != "leased":
                raise Conflict("You have voted on this pair already.", "Undo to change it.")
            votes.set_state(conn, token, "voted", now)
            values = {"choice": choice, "active_ms": max(0, min(active_ms, 3_600_000)), "via": via}
            votes.append(conn, key, token, "vote", created_at=now, **values)
        return _next(conn, one, actor.name)


def skip(ws: Workspace, actor: Actor, token: str) -> Shown | None:
    """Leave a pair to others and return the next one."""
    actor.require(Role.RATER)
    with writing(ws.db) as conn:
        mine = _own(conn, actor, token)
        one = _open_round(conn, mine.round_id)
        if mine.state == "leased":
            votes.set_state(conn, token, "skipped", time.time())
        return _next(conn, one, actor.name)


def undo(ws: Workspace, actor: Actor, round_id: str) -> Shown:
    """Take back this rater's newest vote or skip, up to 15 minutes old; its pair is shown again."""
    actor.require(Role.RATER)
    now = time.time()
    with writing(ws.db) as conn:
        one = _open_round(conn, round_id)
        last = _undoable(conn, round_id, actor.name, now)
        if last is None:
            raise Conflict("There is nothing of the last 15 minutes to take back.", "Go on rating.")
        if last.state == "skipped" and _gone(conn, one, last, now):
            raise Conflict("Somebody else has the pair that you skipped.", "Go on rating.")
        waiting = votes.leased_to(conn, round_id, actor.name)
        if waiting is not None:
            votes.release(conn, waiting.id)
        votes.set_state(conn, last.id, "leased", now)
        if last.state == "voted":
            key = ids.new("undo")
            votes.append(conn, key, last.id, "retract", active_ms=0, via="button", created_at=now)
        return _shown(conn, one, last)


def progress(ws: Workspace, actor: Actor, round_id: str) -> dict[str, int]:
    """`done` of `total` by this rater, `all_done` votes of `all_total` that the plan asks for."""
    actor.require(Role.RATER)
    with reading(ws.db) as conn:
        one = access.rating_round(conn, round_id)
        done, total, everyone = votes.counts(conn, round_id, actor.name)
    wanted = total * int(one.plan["overlap"])
    return {"done": done, "total": total, "all_done": everyone, "all_total": wanted}


def _open_round(conn: Connection, round_id: str) -> Round:
    one = access.rating_round(conn, round_id)
    if one.status != "open":
        words = {"preparing": "still getting its answers", "closed": "closed"}
        raise Conflict(
            f"{one.name} is {words.get(one.status, one.status)}.", "Choose an open round."
        )
    return one


def _own(conn: Connection, actor: Actor, token: str) -> Assignment:
    mine = votes.get(conn, token)
    if mine is None or mine.rater != actor.name:
        raise NotFound("This pair is not yours to rate.", "Reload the page.")
    return mine


def _next(conn: Connection, one: Round, rater: str) -> Shown | None:
    now = time.time()
    while (mine := votes.leased_to(conn, one.id, rater)) is not None:
        if mine.lease_until > now or not _gone(conn, one, mine, now):
            votes.set_state(conn, mine.id, "leased", now)
            return _shown(conn, one, mine)
        votes.give_up(conn, mine.id)
    rounds.lock(conn, one.id)  # else two raters could take the last place of a pair at once
    free = votes.free_comparison(conn, one.id, rater, int(one.plan["overlap"]), now)
    if free is None:
        return None
    comparison_id, left_first = free
    new = Assignment(
        id=ids.token(),
        comparison_id=comparison_id,
        round_id=one.id,
        rater=rater,
        left_is=_side(conn, one, rater, left_first),
        state="leased",
        leased_at=now,
        lease_until=now + LEASE_S,
    )
    votes.lease(conn, new)
    return _shown(conn, one, new)


def _gone(conn: Connection, one: Round, mine: Assignment, now: float) -> bool:
    """Whether others hold every place of a pair that this rater does not hold any more."""
    rounds.lock(conn, one.id)
    return votes.places_taken(conn, mine.comparison_id, now) >= int(one.plan["overlap"])


def _undoable(conn: Connection, round_id: str, rater: str, now: float) -> Assignment | None:
    last = votes.last_answered(conn, round_id, rater)
    if last is None or now > last.lease_until - LEASE_S + UNDO_S:
        return None
    return last


def _side(conn: Connection, one: Round, rater: str, left_first: str) -> str:
    """Every second rater sees all pairs mirrored, so no side belongs to a model."""
    known = votes.raters(conn, one.id)
    place = known.index(rater) if rater in known else len(known)
    if place % 2 == 0:
        return left_first
    return "hi" if left_first == "lo" else "lo"


def _shown(conn: Connection, one: Round, mine: Assignment) -> Shown:
    pair = rounds.get_comparison(conn, mine.comparison_id)
    done, total, _ = votes.counts(conn, one.id, mine.rater)
    left, right = pair.text_lo, pair.text_hi
    if mine.left_is == "hi":
        left, right = right, left
    prompt = "\n\n".join(
        m.content if m.role == "user" else f"**{m.role}:** {m.content}" for m in pair.prompt
    )
    return Shown(
        token=mine.id,
        prompt_html=to_html(prompt),
        left_html=to_html(left),
        right_html=to_html(right),
        done=done,
        total=total,
        can_undo=_undoable(conn, one.id, mine.rater, time.time()) is not None,
    )


def texts(ws: Workspace, actor: Actor, token: str) -> tuple[str, str, tuple[str, ...]]:
    """The plain left and right answers of a pair, and its references: for simulated raters."""
    actor.require(Role.RATER)
    with writing(ws.db) as conn:
        mine = _own(conn, actor, token)
        pair = rounds.get_comparison(conn, mine.comparison_id)
    left, right = pair.text_lo, pair.text_hi
    if mine.left_is == "hi":
        left, right = right, left
    return left, right, pair.references
