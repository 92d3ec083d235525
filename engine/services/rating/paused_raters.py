"""Which raters a person should look at. A rater can be paused, by their gold items or by hand.

Votes of paused raters are kept and count in nothing until somebody has looked at them and lets
the rater go on; gold items count anew from there. The threshold: stats/rater_quality.py.
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
from engine.services.rating import rankings
from engine.services.rating.vote_reading import rated_pair
from engine.stats import rater_quality as statistics
from engine.stats.rated_pairs import RatedPair
from engine.stats.rater_quality import Gold, RaterQuality, assess_gold
from engine.store import rater_reviews, rounds, votes
from engine.store.connect import reading, writing
from engine.store.rater_reviews import Action, Review
from engine.store.votes import LiveVote
from engine.workspace import Workspace

NOTE_LENGTH = 1000


class RaterView(BaseModel):
    """One rater of a round; `seconds` is the median time a pair was looked at, 0 if unknown.

    Without `sides` nobody knows which answer stood on the left.
    """

    model_config = ConfigDict(frozen=True)

    rater: str
    votes: int
    seconds: float
    paused: bool
    decided: str  # who decided last and what they wrote, or nothing
    quality: RaterQuality
    sides: bool = True


def raters(ws: Workspace, actor: Actor, round_id: str) -> list[RaterView]:
    """Everybody who voted in a round, those with a reason to look first.

    While a blind round is open nothing in it tells which model anybody prefers.
    """
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        rating_round = access.rating_round(conn, actor, round_id)
        return of_round(conn, rating_round)


def of_round(conn: Connection, rating_round: Round) -> list[RaterView]:
    """The raters of a round that the caller may see."""
    current = votes.live(conn, [rating_round.id], extra=True)
    found = rated_pairs(conn, rating_round, current)
    if not found:
        return []
    revealed = rating_round.status == "closed" and rating_round.arm_new != rating_round.arm_base
    shown = any(rating_round.arm_new in (each.left, each.right) for each in found)
    judged = statistics.quality(found, rating_round.arm_new if revealed and shown else None)
    stopped, decided = paused(conn, rating_round.id), rater_reviews.newest(conn, rating_round.id)
    times: dict[str, list[int]] = defaultdict(list)
    for vote in current:
        times[vote.rater].append(vote.active_ms)
    return [
        RaterView(
            rater=each.rater,
            votes=len(times[each.rater]),
            seconds=median(times[each.rater]) / 1000 if times[each.rater] else 0.0,
            paused=each.rater in stopped,
            decided=_decided(decided.get(each.rater)),
            quality=each,
            sides=rating_round.states_sides,
        )
        for each in judged.raters
    ]


def unfolded_pairs(
    conn: Connection, rating_round: Round, current: list[LiveVote]
) -> list[RatedPair]:
    """The same with every pair of a ranking, as an item of its own: for agreement alone."""
    pairs = {
        pair.id: pair
        for each in rounds.comparisons(conn, rating_round.id)
        for pair in rankings.unfold_comparison(each)
    }
    found = [each for vote in current for each in rankings.unfold_vote(vote)]
    return [] if rating_round.mode == "single" else _rated(pairs, found)


def rated_pairs(conn: Connection, rating_round: Round, current: list[LiveVote]) -> list[RatedPair]:
    """Votes as statistics read them; of a ranking one pair.

    Single answers have no sides, so of them only the gold items can be judged, by `gold`.
    """
    if rating_round.mode == "single":
        return []
    pairs = {pair.id: pair for pair in rounds.comparisons(conn, rating_round.id)}
    return _rated(pairs, current)


def _rated(pairs: dict[str, Comparison], current: list[LiveVote]) -> list[RatedPair]:
    return [
        rated_pair(pairs[vote.comparison_id], vote)
        for vote in current
        if pairs[vote.comparison_id].kind in ("normal", "repeat", "gold")
    ]


def paused(conn: Connection, round_id: str) -> set[str]:
    """The raters of a round who are paused, by their gold items or by a person."""
    decided = rater_reviews.newest(conn, round_id)
    found = {rater for rater, last in decided.items() if last.action == "paused"}
    return found | {rater for rater, each in gold(conn, round_id).items() if each.pause}


def gold(conn: Connection, round_id: str) -> dict[str, Gold]:
    """Each rater's answers to gold items since somebody last let them go on.

    The first answer to an item counts, also where it was taken back: who has seen how a vote moved
    their own count could else mend it.
    """
    decided = rater_reviews.newest(conn, round_id)
    known = {each.id: each.details.get("answer") for each in rounds.uncounted(conn, round_id)}
    right: dict[str, int] = defaultdict(int)
    of: dict[str, int] = defaultdict(int)
    for vote in votes.first(conn, round_id, "gold"):
        last = decided.get(vote.rater)
        if last is None or vote.created_at > last.created_at:
            of[vote.rater] += 1
            right[vote.rater] += vote.preferred == known[vote.comparison_id]
    return {rater: assess_gold(right[rater], n) for rater, n in of.items()}


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
        if rater not in rater_reviews.raters(conn, round_id):
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
        rater_reviews.add(conn, new)


def _decided(last: Review | None) -> str:
    if last is None:
        return ""
    return f"{last.action} by {last.created_by}" + (f": {last.note}" if last.note else "")
