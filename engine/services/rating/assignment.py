"""Which comparison a rater gets next, and which of its answers stands left for them.

A rater holds two pairs at most, the one on the screen and the one after it. Practice pairs come
first. Gold pairs and repeats come at moments that nobody can foresee, in proportion to the pairs
that a rater was given, so that a rater of few pairs is checked as often as one of many.
"""

import random
from math import ceil
from typing import NamedTuple

from sqlalchemy import Connection

from engine.core import ids
from engine.core.answer_sides import OTHER
from engine.core.rating import Answer, AssignmentState, Round
from engine.services.rating import rankings
from engine.store import rounds, votes
from engine.store.rounds import Uncounted
from engine.store.votes import COMPARISON_LEASE_S, TICK_S, Assignment, GivenComparison

MOST_HELD = 2
APART = 3  # pairs between a pair and its repeat


class Checks(NamedTuple):
    """What decides whether a check is due: `normal` counts the round's pairs that count."""

    round_id: str
    rater: str
    uncounted: list[Uncounted]
    given: list[GivenComparison]
    normal: int


def next_assignments(
    conn: Connection, rating_round: Round, rater: str, now: float, most: int, guest: bool = False
) -> list[Assignment]:
    """The pairs that a rater may look at, the current one first; `most` is 1 or 2.

    Leases of the rater start anew; a pair that others took meanwhile is left to them.
    """
    held: list[Assignment] = []
    for mine in votes.leased_to(conn, rating_round.id, rater):
        if len(held) == MOST_HELD:
            break
        if mine.lease_until <= now and taken_by_others(conn, rating_round, mine, now):
            votes.give_up(conn, mine.id)
            continue
        if len(held) < most or mine.lease_until > now:
            votes.set_state(conn, mine.id, AssignmentState.LEASED, now)
            held.append(mine)
    while len(held) < most and (new := _claim(conn, rating_round, rater, now, len(held), guest)):
        held.append(new)
    return held[:most]


def taken_by_others(conn: Connection, rating_round: Round, mine: Assignment, now: float) -> bool:
    """Whether others hold every place of a pair that this rater does not hold any more."""
    if rounds.get_comparison(conn, mine.comparison_id).kind != "normal":
        return False
    rounds.lock(conn, rating_round.id)
    return votes.places_taken(conn, mine.comparison_id, now) >= rating_round.plan.overlap


def _claim(
    conn: Connection, rating_round: Round, rater: str, now: float, place: int, guest: bool
) -> Assignment | None:
    # else two raters could take the last place of a pair at once
    rounds.lock(conn, rating_round.id)
    found = _choose(conn, rating_round, rater, now)
    if found is None:
        return None
    comparison_id, left_first = found
    left_is = _side(conn, rating_round, rater, left_first)
    order = ""
    if rating_round.plan.answers > 2:
        order = rankings.order_for(rounds.get_comparison(conn, comparison_id), rater, left_is)
    new = Assignment(
        id=ids.token(),
        comparison_id=comparison_id,
        round_id=rating_round.id,
        rater=rater,
        left_is=left_is,
        state=AssignmentState.LEASED,
        leased_at=now + TICK_S * place,
        lease_until=now + COMPARISON_LEASE_S,
        guest=guest,
        order=order,
    )
    votes.lease(conn, new)
    return new


def _choose(
    conn: Connection, rating_round: Round, rater: str, now: float
) -> tuple[str, Answer] | None:
    """The next comparison for a rater, and the answer that its first rater sees on the left."""
    uncounted = rounds.uncounted(conn, rating_round.id)
    checks = Checks(rating_round.id, rater, uncounted, [], 0)
    if uncounted:
        seen = votes.given(conn, rating_round.id, rater)
        _, all_normal, _ = votes.counts(conn, rating_round.id, "")
        checks = checks._replace(given=seen, normal=all_normal)
    check = _due(checks, last=False)
    if check is not None:
        return check.id, check.left_first
    free = votes.free_comparison(conn, rating_round.id, rater, rating_round.plan.overlap, now)
    if free is None and (check := _due(checks, last=True)):
        return check.id, check.left_first
    return free


def _due(checks: Checks, last: bool) -> Uncounted | None:
    """The check that comes now; `last`: no other pair is left for this rater."""
    round_id, rater, uncounted, seen, all_normal = checks
    given = {each.comparison_id for each in seen}
    open_ = [each for each in uncounted if each.id not in given]
    practice = [each for each in open_ if each.kind == "calibration"]
    if practice:
        return practice[0]
    normal = sum(each.kind == "normal" for each in seen)
    for kind in ("gold", "repeat"):
        wanted = sum(each.kind == kind for each in uncounted)
        had = sum(each.kind == kind for each in seen)
        ready = [each for each in open_ if each.kind == kind and _ready(each, seen, last)]
        if ready and _now(round_id, rater, kind, had, normal, wanted / all_normal, last):
            return ready[0]
    return None


def _now(
    round_id: str, rater: str, kind: str, had: int, normal: int, share: float, last: bool
) -> bool:
    """Whether the check after `had` others is due; its moment is drawn, the same on a reload."""
    if last:
        return had < ceil(share * normal)
    late = random.Random(f"{round_id} {rater} {kind} {had}").random()
    return normal >= (had + late) / share


def _ready(check: Uncounted, seen: list[GivenComparison], last: bool) -> bool:
    """A repeat needs a pair that this rater voted on, some pairs ago unless none is left."""
    if check.kind != "repeat":
        return True
    before = seen if last else seen[:-APART]
    return any(each.comparison_id == check.details.get("of") and each.state == AssignmentState.VOTED
               for each in before)  # fmt: skip


def _side(conn: Connection, rating_round: Round, rater: str, left_first: Answer) -> Answer:
    """Every second rater sees all pairs mirrored, so no side belongs to a model.

    It lasts for a rater, also where others and their votes are deleted.
    """
    if rating_round.mode == "single":
        return "a"
    known = votes.mirrored(conn, rating_round.id)
    if not known.get(rater, 2 * sum(known.values()) < len(known)):
        return left_first
    return OTHER[left_first]
