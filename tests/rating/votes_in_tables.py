"""Rounds and votes written straight into the tables, so a test says exactly who said what."""

import time
from itertools import count

from engine.core import ids
from engine.core.examples import Message
from engine.core.rating import Comparison, Round
from engine.store import rounds, votes
from engine.store.connect import reading, writing
from engine.store.votes import Assignment
from tests import helpers

clock = count(1)


def a_round(ws, project_id, arms, purpose="train_pairs"):
    new = Round(
        id=ids.new("round"),
        project_id=project_id,
        name=f"Round {next(clock)}",
        purpose=purpose,
        arm_new=arms[0].id,
        arm_base=arms[1].id,
        plan={"prompts": 1, "overlap": 3, "temperature": 0.9, "seed": 1},
        plan_sha256="0" * 64,
        status="open",
        created_by="local",
        created_at=float(next(clock)),
    )
    with writing(ws.db) as conn:
        rounds.add(conn, new)
    return new


def arms(ws, folder):
    return helpers.model(ws, folder, "arm-new"), helpers.model(ws, folder, "arm-old")


def a_pair(ws, one, prompt, lo, hi, kind="normal", references=(), details=None):
    with writing(ws.db) as conn:
        new = Comparison(
            id=ids.new("pair"),
            round_id=one.id,
            position=len(rounds.comparisons(conn, one.id)),
            prompt=(Message(role="user", content=prompt),),
            references=references,
            answer_a=lo,
            answer_b=hi,
            model_a=one.arm_new,
            model_b=one.arm_base,
            kind=kind,
            details=details or {},
        )
        rounds.add_comparisons(conn, [(new, "a")])
    return new


def cast(ws, pair, rater, choice, *, left_is="a", **details):
    """One vote that stands; its id and its assignment's."""
    token, key = ids.token(), ids.new("vote")
    at = time.time()
    seat = Assignment(token, pair.id, pair.round_id, rater, left_is, "voted", at, at + 600)
    with writing(ws.db) as conn:
        votes.lease(conn, seat)
        votes.append(
            conn, key, token, "vote", details, choice=choice, active_ms=900, via="api",
            created_at=float(next(clock)),
        )  # fmt: skip
    return key, token


def retract(ws, token):
    with writing(ws.db) as conn:
        votes.append(
            conn, ids.new("undo"), token, "retract", {}, active_ms=0, via="api",
            created_at=float(next(clock)),
        )  # fmt: skip
        votes.set_state(conn, token, "leased", time.time())


def shown(ws, one):
    with reading(ws.db) as conn:
        return rounds.comparisons(conn, one.id)


def filled(ws, project_id, both, number=24, raters=("r",), purpose="train_pairs"):
    """A round of unlike questions on which every rater prefers "good 3" to "bad 3".

    "good 3" stands on the left of every second question.
    """
    one = a_round(ws, project_id, both, purpose)
    for n in range(number):
        pair = a_pair(ws, one, f"{WORDS[n]} please", f"good {n}", f"bad {n}")
        for rater in raters:
            cast(ws, pair, rater, ("left", "right")[n % 2], left_is=("a", "b")[n % 2])
    return one


WORDS = [
    f"{a} {b}"
    for a in ("renew", "lend", "return", "reserve", "print", "scan", "find")
    for b in ("atlas", "novel", "poem", "comic", "map", "score")
]
