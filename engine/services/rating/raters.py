"""Which raters a person should look at. A rater can be paused, by their gold pairs or by hand.

Votes of paused raters are kept and count in nothing until somebody has looked at them and lets
the rater go on; gold pairs count anew from there.
"""

import time
from collections import defaultdict
from statistics import median

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection

from engine.core import ids
from engine.core.actor import Actor, Role
from engine.core.errors import NotFound
from engine.core.rating import Comparison, Round
from engine.services import access
from engine.stats import rater_quality as statistics
from engine.stats.rated_pairs import Ballot
from engine.stats.rater_quality import Gold, RaterQuality, gold_standing
from engine.store import reviews, rounds, votes
from engine.store.connect import reading, writing
from engine.store.reviews import Action, Review
from engine.store.votes import LiveVote
from engine.workspace import Workspace

NOTE_LENGTH = 1000


class RaterView(BaseModel):
    """One rater of a round; `seconds` is the median time a pair was looked at."""

    model_config = ConfigDict(frozen=True)

    rater: str
    votes: int
    seconds: float
    paused: bool
    decided: str  # who decided last and what they wrote, or nothing
    quality: RaterQuality


def raters(ws: Workspace, actor: Actor, round_id: str) -> list[RaterView]:
    """Everybody who voted in a round, those with a reason to look first.

    While a blind round is open nothing in it tells which model anybody prefers.
    """
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        one = access.rating_round(conn, actor, round_id)
        return of_round(conn, one)


def of_round(conn: Connection, one: Round) -> list[RaterView]:
    """The raters of a round that the caller may see."""
    cast = votes.live(conn, [one.id], extra=True)
    found = ballots(conn, one, cast)
    if not found:
        return []
    told = one.status == "closed" and one.arm_new != one.arm_base
    shown = any(one.arm_new in (each.left, each.right) for each in found)
    judged = statistics.quality(found, one.arm_new if told and shown else None)
    stopped, decided = paused(conn, one.id), reviews.newest(conn, one.id)
    times: dict[str, list[int]] = defaultdict(list)
    for vote in cast:
        times[vote.rater].append(vote.active_ms)
    return [
        RaterView(
            rater=each.rater,
            votes=len(times[each.rater]),
            seconds=median(times[each.rater]) / 1000 if times[each.rater] else 0.0,
            paused=each.rater in stopped,
            decided=_decided(decided.get(each.rater)),
            quality=each,
        )
        for each in judged.raters
    ]


def ballots(conn: Connection, one: Round, cast: list[LiveVote]) -> list[Ballot]:
    """Votes on pairs as statistics read them; a repeat has the prompt of the pair it repeats.

    Where one model wrote both answers the two texts stand for models. Single answers have no
    sides, so of them only the gold ones can be judged, by `gold`.
    """
    if one.mode == "single":
        return []
    pairs = {pair.id: pair for pair in rounds.comparisons(conn, one.id)}
    return [
        _ballot(pairs[vote.comparison_id], vote)
        for vote in cast
        if pairs[vote.comparison_id].kind in ("normal", "repeat", "gold")
    ]


def paused(conn: Connection, round_id: str) -> set[str]:
    """The raters of a round who are paused, by their gold pairs or by a person."""
    decided = reviews.newest(conn, round_id)
    found = {rater for rater, last in decided.items() if last.action == "paused"}
    return found | {rater for rater, each in gold(conn, round_id).items() if each.pause}


def gold(conn: Connection, round_id: str) -> dict[str, Gold]:
    """Each rater's standing on gold pairs since somebody last let them go on.

    The first answer to a pair counts, also where it was taken back: who has seen how a vote moved
    their own count could else mend it.
    """
    decided = reviews.newest(conn, round_id)
    known = {each.id: each.details.get("answer") for each in rounds.controls(conn, round_id)}
    right: dict[str, int] = defaultdict(int)
    of: dict[str, int] = defaultdict(int)
    for vote in votes.first(conn, round_id, "gold"):
        last = decided.get(vote.rater)
        if last is None or vote.created_at > last.created_at:
            of[vote.rater] += 1
            right[vote.rater] += vote.canonical == known[vote.comparison_id]
    return {rater: gold_standing(right[rater], n) for rater, n in of.items()}


def pause(ws: Workspace, actor: Actor, round_id: str, rater: str, note: str = "") -> None:
    """Give a rater no further pair, and let their votes count in nothing for now."""
    _decide(ws, actor, round_id, rater, "paused", note)


def resume(ws: Workspace, actor: Actor, round_id: str, rater: str, note: str = "") -> None:
    """Let a paused rater go on; all their votes count again."""
    _decide(ws, actor, round_id, rater, "resumed", note)


def _decide(
    ws: Workspace, actor: Actor, round_id: str, rater: str, action: Action, note: str
) -> None:
    actor.require(Role.TRAINER)
    with writing(ws.db) as conn:
        access.rating_round(conn, actor, round_id)
        if rater not in reviews.raters(conn, round_id):
            raise NotFound(f"No rater {rater!r} is in this round.", "Choose one of the list.")
        new = Review(
            id=ids.new("review"),
            round_id=round_id,
            rater=rater,
            action=action,
            note=note.strip()[:NOTE_LENGTH],
            created_by=actor.name,
            created_at=time.time(),
        )
        reviews.add(conn, new)


def _decided(last: Review | None) -> str:
    if last is None:
        return ""
    return f"{last.action} by {last.created_by}" + (f": {last.note}" if last.note else "")


def _ballot(pair: Comparison, vote: LiveVote) -> Ballot:
    lo, hi = pair.model_lo, pair.model_hi
    if lo == hi:
        lo, hi = "one answer", "the other answer"
    sides = {"left": (lo, hi), "right": (hi, lo)}["left" if vote.left_is == "lo" else "right"]
    lengths = (len(pair.text_lo), len(pair.text_hi))
    if vote.left_is == "hi":
        lengths = lengths[::-1]
    expected = None
    if pair.kind == "gold":
        expected = "left" if pair.details.get("answer") == vote.left_is else "right"
    return Ballot(
        prompt=pair.details.get("of", pair.id) if pair.kind == "repeat" else pair.id,
        rater=vote.rater,
        left=sides[0],
        right=sides[1],
        choice=vote.choice,  # type: ignore[arg-type]  # a pair is never called good or bad
        left_len=lengths[0],
        right_len=lengths[1],
        expected=expected,  # type: ignore[arg-type]
    )
